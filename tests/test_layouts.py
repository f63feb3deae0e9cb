"""The project as people have it: settings that DVC rewrites, other settings of git, clones of all kinds, subfolders."""

import difflib
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides  # what `dvc exp run -S` writes params.yaml with


def changed_lines(settings: list[str]) -> list[str]:
    """Apply settings to params.yaml as `dvc exp run -S` does; return the removed (-) and added (+) lines."""
    path = Path("params.yaml")
    before = path.read_text().splitlines()
    apply_overrides(path, settings)
    diff = difflib.unified_diff(before, path.read_text().splitlines(), n=0, lineterm="")
    return [line for line in diff if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize(
    ("setting", "lines"),
    [
        ("training.threads=0", []),
        ("nets.softmax.epochs=31", ["-    epochs: 30", "+    epochs: 31"]),
        (
            "split.rows=4000",
            [
                "-  rows: # size of a stratified subset, at least 10; empty: all",
                "+  rows: 4000 # size of a stratified subset, at least 10; empty: all",
            ],
        ),
        ("nets.mlp-48.layers.hidden.units=64", ["-        units: 48", "+        units: 64"]),
    ],
)
def test_a_setting_on_the_command_line_changes_one_line(setting: str, lines: list[str]) -> None:
    assert changed_lines([setting]) == lines


@pytest.mark.usefixtures("workspace")
@pytest.mark.parametrize("setting", ["~nets.fast", "~nets.best", "~baselines.svc-rbf", "+nets.new={epochs: 1}"])
def test_a_model_added_or_removed_takes_no_comment_of_another(setting: str) -> None:
    name = setting.split(".")[1].split("=")[0]
    sign = setting[0].replace("~", "-")
    first, *others = [line for line in changed_lines([setting]) if line.strip("-+")]
    assert first == f"{sign}  {name}:"
    assert all(line.startswith(f"{sign}    ") for line in others)
