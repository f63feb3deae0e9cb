"""Paths, and the files of models that are no longer declared."""

from pathlib import Path

import pytest

from stages.check_params.leftovers import undeclared
from stages.shared.files import paths


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_files_are_named_after_models() -> None:
    assert paths.BASELINES.path("svc-rbf") == Path("models/baselines/svc-rbf.skops")
    assert paths.NETS.path("mlp-48") == Path("models/nets/mlp-48.keras")
    assert paths.PICTURES.path("overview/a.b") == Path("reports/pictures/overview/a.b.png")


def test_pictures_of_one_model_are_listed_by_name() -> None:
    assert paths.list_pictures("b") == {}
    folder = "reports/pictures/models"
    touch(f"{folder}/b/weights.x.png", f"{folder}/b/curves.png", f"{folder}/b/c.svg", f"{folder}/a/curves.png")
    assert [*paths.list_pictures("b").items()] == [
        ("curves", Path(f"{folder}/b/curves.png")),
        ("weights.x", Path(f"{folder}/b/weights.x.png")),
    ]


def test_undeclared_files_are_those_of_no_model_that_writes_to_the_folder() -> None:
    assert undeclared(["tree"], []) == [], "no folder exists"
    baselines, nets = ["models/baselines"], ["models/nets"]
    both = ["models/predictions", "models/facts", "models/weights"]
    touch(*(f"{folder}/{name}.x" for folder in (*baselines, *nets, *both) for name in ("tree", "mlp", "gone")))
    expected = [f"{folder}/gone.x" for folder in (*baselines, *nets, *both)]
    expected += [f"{folder}/mlp.x" for folder in baselines] + [f"{folder}/tree.x" for folder in nets]
    assert [str(path) for path in undeclared(["tree"], ["mlp"])] == sorted(expected)


def test_undeclared_files_include_timings_of_training_stages_and_temporary_files() -> None:
    touch("reports/timings/train-nets@gone.json", "reports/timings/train-nets@mlp.json")
    touch("reports/timings/train-baselines@tree.json", "reports/timings/fetch.json", "reports/timings/a@gone.txt")
    touch("models/facts/gone.json", "models/facts/.x1.tmp", "reports/pictures/models/gone/curves.png")
    touch("reports/pictures/models/mlp/curves.png", "reports/pictures/overview/errors.png")
    assert [str(path) for path in undeclared(["tree"], ["mlp"])] == [
        "models/facts/.x1.tmp",
        "models/facts/gone.json",
        "reports/pictures/models/gone/curves.png",
        "reports/timings/train-nets@gone.json",
    ]


def test_undeclared_files_leave_out_folders_git_files_and_files_that_are_being_written() -> None:
    touch("models/nets/.gitignore", "models/nets/.gitkeep", "models/nets/gone.keras/x", "models/nets/.writing-1.keras")
    assert undeclared([], []) == []
