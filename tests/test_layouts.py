"""The project as people have it: settings that DVC rewrites, other settings of git, clones of all kinds, subfolders."""

import difflib
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides  # what `dvc exp run -S` writes params.yaml with

from tests.fixtures.small_project import ROOT, Project


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return its output."""
    identity = ("-c", "user.name=A tester", "-c", "user.email=tester@example.org")
    ran = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


# Settings of DVC


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


# Settings of git and of pre-commit


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every file of this one, not committed yet."""
    folder = tmp_path_factory.mktemp("tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    return folder


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.autocrlf=input", "core.eol=crlf"])
def test_a_clone_has_the_same_bytes_under_every_setting_of_line_ends(
    tracked: Path, tmp_path: Path, setting: str
) -> None:
    git(tracked, "add", "--all")
    git(tracked, "commit", "--quiet", "--allow-empty", "--message", "the project")
    git(tmp_path, "clone", "--quiet", "--config", setting, str(tracked), "clone")
    files = [path for path in tracked.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert len(files) > 200
    assert [
        path for path in files if (tmp_path / "clone" / path.relative_to(tracked)).read_bytes() != path.read_bytes()
    ] == []
    assert git(tmp_path / "clone", "status", "--porcelain") == ""


def test_files_to_commit_are_not_excluded_by_a_users_own_settings(tracked: Path, tmp_path: Path) -> None:
    files = [path.relative_to(tracked) for path in tracked.rglob("*") if path.is_file() and ".git" not in path.parts]
    # What a run adds after a net was declared.
    files += [Path(f"reports/{name}") for name in ("summaries/new.txt", "metrics/new.json", "history/new.csv")]
    files += [Path(f"reports/pictures/{name}.png") for name in ("curves/new", "weights/new.hidden")]
    folders = {folder.name for path in files for folder in path.parents if folder.name[:1].isalpha()}
    excluded = [
        *(f"*{suffix}" for suffix in {path.suffix for path in files if path.suffix}),
        *(f"{name}/" for name in folders),
    ]
    (tmp_path / "excluded").write_text("\n".join([*excluded, ".DS_Store", ".idea/", "*~"]))
    setting = ("-c", f"core.excludesFile={tmp_path / 'excluded'}")
    ignored = (".DS_Store", "reports/.DS_Store", ".idea/workspace.xml", "params.yaml~", "models/nets/new.keras")
    command = ["git", *setting, "check-ignore", "--no-index", "--", *map(str, files), *ignored, "data/raw/images.npy"]
    shown = subprocess.run(command, cwd=tracked, capture_output=True, text=True, check=False).stdout.splitlines()
    assert shown == [*ignored, "data/raw/images.npy"]


def test_text_files_of_a_run_end_in_one_newline_and_have_no_trailing_blanks(finished: Project) -> None:
    """Else the hooks end-of-file-fixer and trailing-whitespace change outputs, and every net counts as changed."""
    outputs = [path for folder in ("data", "models", "reports") for path in (finished.folder / folder).rglob("*")]
    texts = {path: path.read_bytes() for path in outputs if path.is_file() and b"\0" not in path.read_bytes()}
    assert {".csv", ".html", ".json", ".md", ".txt"} <= {path.suffix for path in texts}
    changed = [
        path
        for path, text in texts.items()
        if not re.fullmatch(rb"([^\r]*[^\s])?\n?", text) or re.search(rb"[ \t\r]\n", text)
    ]
    assert [path for path in changed if path.stat().st_size] == []
    assert [path for path, text in texts.items() if text and not text.endswith(b"\n")] == []
