"""Where files live, and which are left over of models that are no longer declared."""

from pathlib import Path

import pytest

from stages.shared.files import paths


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def test_model_files_are_named_after_the_models() -> None:
    assert paths.baseline_file("svc-rbf") == Path("models/baselines/svc-rbf.skops")
    assert paths.net_file("mlp-48") == Path("models/nets/mlp-48.keras")


def test_each_folder_is_asked_for_the_models_that_write_there() -> None:
    baselines, nets = ["models/baselines"], ["models/nets", "reports/history", "reports/summaries"]
    both = ["models/predictions", "models/facts"]
    touch(*(f"{folder}/{name}.x" for folder in (*baselines, *nets, *both) for name in ("tree", "mlp", "gone")))
    left = [f"{folder}/gone.x" for folder in (*baselines, *nets, *both)]
    left += [f"{folder}/mlp.x" for folder in baselines] + [f"{folder}/tree.x" for folder in nets]
    assert [str(path) for path in paths.undeclared(iter(["tree"]), iter(["mlp"]))] == sorted(left)


def test_what_a_stage_cost_is_left_over_with_its_model() -> None:
    touch("reports/timings/train-nets@gone.json", "reports/timings/train-nets@mlp.json")
    touch("reports/timings/train-baselines@tree.json", "reports/timings/fetch.json", "reports/timings/a@gone.txt")
    touch("models/facts/gone.json")
    assert [str(path) for path in paths.undeclared(["tree"], ["mlp"])] == [
        "models/facts/gone.json",
        "reports/timings/train-nets@gone.json",
    ]


def test_folders_what_git_keeps_there_and_what_is_being_written_are_left_alone() -> None:
    touch("models/nets/.gitignore", "models/nets/.gitkeep", "models/nets/gone.keras/x", "models/nets/.writing-1.keras")
    assert paths.undeclared([], []) == []
