"""The note of check-models on classifiers that would take days: by sizes alone, nothing is trained."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from stages.check_models.__main__ import main as check_models
from stages.check_models.long_runs import long_runs, say_long_runs
from stages.shared.files.datasets import SETS, save_array, save_classes
from stages.shared.files.paths import SPLIT
from stages.shared.params.yaml_file import plain, read
from tests.fixtures.small_project import BASELINES, NETS, PARAMS

KNN: dict[str, Any] = {"class": "KNeighborsClassifier"}
MANHATTAN = {**KNN, "metric": "manhattan"}
SVC: dict[str, Any] = {"class": "SVC", "C": 5.0}
MNIST, MILLION, TEN_MILLIONS = (50_400, 29_600), (720_000, 290_000), (7_200_000, 2_810_000)


def notes(declared: dict[str, Any], rows: int, queries: int, cores: int = 2) -> list[str]:
    return [*long_runs({"model": declared}, rows=rows, queries=queries, pixels=784, cores=cores)]


@pytest.mark.parametrize(
    ("declared", "sizes", "time"),
    [
        (MANHATTAN, MNIST, None),
        (SVC, MNIST, None),
        (SVC, MILLION, None),
        (SVC, TEN_MILLIONS, "7 days"),
        (MANHATTAN, MILLION, None),
        (MANHATTAN, TEN_MILLIONS, "1 day"),
        ({**KNN, "p": 1}, TEN_MILLIONS, "1 day"),
        (KNN, TEN_MILLIONS, "3 days"),
        ({**KNN, "metric": "cosine"}, TEN_MILLIONS, "3 days"),
        ({**KNN, "metric": "chebyshev"}, TEN_MILLIONS, "50 days"),
        ({**KNN, "p": 3}, (72_000_000, 28_000_000), "10 years"),
        ({"class": "RadiusNeighborsClassifier", "metric": "manhattan"}, TEN_MILLIONS, "50 days"),
        ({**SVC, "max_iter": 1000}, TEN_MILLIONS, None),
        ({"class": "CalibratedClassifierCV", "estimator": SVC}, TEN_MILLIONS, "7 days"),
        (
            {"class": "VotingClassifier", "estimators": [["a", {"class": "SGDClassifier"}], ["b", KNN]]},
            TEN_MILLIONS,
            "3 days",
        ),
        ({"class": "BaggingClassifier", "estimator": SVC, "max_samples": 1000}, TEN_MILLIONS, None),
        ({"class": "LinearSVC"}, TEN_MILLIONS, None),
        ({"class": "lightgbm.LGBMClassifier"}, TEN_MILLIONS, None),
    ],
)
def test_a_classifier_that_would_take_days_is_told(
    declared: dict[str, Any], sizes: tuple[int, int], time: str | None
) -> None:
    found = notes(declared, *sizes)
    assert len(found) == (time is not None)
    for line in found:
        assert line.startswith("model: note: ") and f" about {time} on 2 cores" in line
        assert f"{sizes[0]:,} training images and {sizes[1]:,} to predict" in line and "split.rows" in line


def test_more_cores_take_less() -> None:
    assert "7 days on 2 cores" in notes(SVC, *TEN_MILLIONS)[0]
    assert "10 days on 1 core," in notes(SVC, *TEN_MILLIONS, cores=1)[0]
    assert notes(SVC, *TEN_MILLIONS, cores=32) == []


def write_images(train: int, validation: int, test: int) -> None:
    """Write images without content: files of zeros, which take no space."""
    for name, rows in zip(SETS, (train, validation, test), strict=True):
        path = SPLIT.path(f"{name}/images")
        path.parent.mkdir(parents=True)
        if rows:
            np.lib.format.open_memmap(path, "w+", np.bool_, (rows, 28, 28)).flush()
        else:
            np.save(path, np.empty((rows, 28, 28), np.bool_))


def test_the_images_of_the_split_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = plain(read(PARAMS))
    monkeypatch.chdir(tmp_path)
    write_images(40_000_000, 0, 10_000)
    params["training"].update(threads=1, train_accuracy_rows=5_000)
    say_long_runs(params, {"knn", "svc-rbf", "sgd", "deep-cnn"})
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("check-models: svc-rbf: note: SVC would take about 300 days on 1 core, ")
    assert "40,000,000 training images and 15,000 to predict" in line

    params["training"]["train_accuracy_rows"] = None
    say_long_runs(params, {"knn", "sgd"})
    assert "knn: note: KNeighborsClassifier would take about 200 days" in capsys.readouterr().out
    say_long_runs(params, {"sgd"})
    assert capsys.readouterr().out == ""


def test_the_stage_tells_of_what_it_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    params = plain(read(PARAMS))
    params.update(baselines=BASELINES | {"far": {**KNN, "metric": "chebyshev"}}, nets={"dense": NETS["dense"]})
    params["pictures"]["weights"], params["training"]["threads"] = {}, 2
    monkeypatch.chdir(tmp_path)
    with Path("params.yaml").open("w") as file:
        YAML().dump(params, file)
    write_images(300_000, 0, 8_000_000)
    save_array(SPLIT.path("train/labels"), np.zeros(300_000, np.int64))
    save_classes(["0", "1"], 28, 28)
    check_models()
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("check-models: far: note: KNeighborsClassifier would take about 5 days on 2 cores")
