"""Paths of model files, and the files that models leave behind when they are no longer declared."""

from pathlib import Path

import pytest

from stages.check_params.leftovers import undeclared
from stages.shared.files import paths


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_model_files_are_named_after_the_models() -> None:
    assert paths.BASELINES.path("svc-rbf") == Path("models/baselines/svc-rbf.skops")
    assert paths.NETS.path("mlp-48") == Path("models/nets/mlp-48.keras")


def test_a_file_is_left_over_unless_a_model_of_its_kind_is_declared() -> None:
    baselines, nets = ["models/baselines"], ["models/nets", "reports/history", "reports/summaries"]
    both = ["models/predictions", "models/facts"]
    touch(*(f"{folder}/{name}.x" for folder in (*baselines, *nets, *both) for name in ("tree", "mlp", "gone")))
    left = [f"{folder}/gone.x" for folder in (*baselines, *nets, *both)]
    left += [f"{folder}/mlp.x" for folder in baselines] + [f"{folder}/tree.x" for folder in nets]
    assert [str(path) for path in undeclared(["tree"], ["mlp"])] == sorted(left)


def test_timings_are_left_over_with_their_model() -> None:
    touch("reports/timings/train-nets@gone.json", "reports/timings/train-nets@mlp.json")
    touch("reports/timings/train-baselines@tree.json", "reports/timings/fetch.json", "reports/timings/a@gone.txt")
    touch("models/facts/gone.json")
    assert [str(path) for path in undeclared(["tree"], ["mlp"])] == [
        "models/facts/gone.json",
        "reports/timings/train-nets@gone.json",
    ]


def test_folders_git_files_and_temporary_files_are_kept() -> None:
    touch("models/nets/.gitignore", "models/nets/.gitkeep", "models/nets/gone.keras/x", "models/nets/.writing-1.keras")
    assert undeclared([], []) == []
