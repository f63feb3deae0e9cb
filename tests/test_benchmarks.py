"""The benchmark: the notebook's cells as they are compared with, recipes, the tables, a measurement of each kind."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

from benchmarks import growth, notebook, ours, pipeline, tables
from benchmarks.__main__ import main as bench_main
from benchmarks.data import Data
from benchmarks.recipes import described, recipe, recipes
from benchmarks.recipes import main as recipes_main
from benchmarks.report import markdown, report_so_far
from stages.shared.errors import UserError
from stages.shared.params import baselines_section, nets_section
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import read
from tests.fixtures.synthetic import digits, pixels

NETS = check_section("nets", nets_section.Nets, read(ROOT / "params.yaml")).root
BASELINES = check_section("baselines", baselines_section.Baselines, read(ROOT / "params.yaml")).root


@pytest.fixture(autouse=True)
def _in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def few() -> Data:
    images, labels = digits(160)
    values = pixels(images)
    return Data(values[:120], labels[:120], values[120:], labels[120:])


# The notebook's cells


def test_every_model_of_the_notebook_has_a_cell_and_is_declared_here() -> None:
    assert set(notebook.NETS) | {"linear-svc", "sgd", "knn", "svc-rbf"} == set(notebook.REACHED)
    assert set(notebook.REACHED) <= {*NETS, *BASELINES}


@pytest.mark.parametrize("name", notebook.NETS)
def test_a_cells_net_has_the_layers_of_the_one_declared_here(name: str) -> None:
    import keras

    from stages.shared.models.build_net import build
    from stages.shared.models.fourier_conv2d import plain

    cell = keras.Sequential([keras.Input((28, 28, 1)), *notebook.NETS[name].layers(keras)])
    declared = plain(build(name, NETS[name], 28, 28, 10))

    def told(model: keras.Model) -> list[dict[str, Any]]:
        layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
        return [{**layer.get_config(), "name": type(layer).__name__, "trainable": True} for layer in layers]

    assert told(cell) == told(declared)
    assert (notebook.NETS[name].epochs, notebook.NETS[name].batch_size) == (NETS[name].epochs, NETS[name].batch_size)


@pytest.mark.parametrize("name", ["linear-svc", "sgd", "knn", "svc-rbf"])
def test_a_cells_classifier_is_the_one_declared_here(name: str) -> None:
    from stages.shared.models import build_classifier

    cell = notebook.classifier(name)
    declared = build_classifier.build(BASELINES[name].class_, BASELINES[name].settings, 42, ("here",))
    assert type(cell) is type(declared)
    free = ("random_state", "n_jobs")  # what decides neither what is learned nor how well
    settings = [
        {key: value for key, value in model.get_params().items() if key not in free} for model in (cell, declared)
    ]
    assert settings[0] == settings[1]


@pytest.mark.parametrize("name", [*notebook.REACHED])
def test_both_sides_learn_and_predict(name: str, few: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    # TensorFlow takes the number of threads once a process, before its first operation.
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", lambda threads: None)
    monkeypatch.setattr(notebook, "LONGEST", 0.0)  # two epochs are enough here
    there, here = notebook.run(name, few), ours.run(name, few, seed=1)
    for measured in (there, here):
        assert measured.fit_seconds > 0 and measured.predict_seconds > 0
        assert measured.codes.shape == few.test_labels.shape and set(measured.codes) <= set(range(10))
    assert here.whole and there.whole == (name not in notebook.NETS)
    if name == "knn":
        assert here.codes.tolist() == there.codes.tolist()


def test_a_cell_that_is_not_run_to_its_end_is_reckoned_from_its_epochs(
    few: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "LONGEST", 0.0)
    reckoned = notebook.run("softmax", few)
    monkeypatch.setattr(notebook, "LONGEST", 1e9)
    whole = notebook.run("softmax", few)
    assert (reckoned.whole, whole.whole) == (False, True)
    assert reckoned.fit_seconds > whole.fit_seconds  # the first epoch takes longer: Keras traces the graph


# Recipes


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_changes_how_a_net_is_trained_and_nothing_else(name: str) -> None:
    assert set(recipes()[name]) <= {"optimizer", "epochs", "batch_size", "threads", "early_stopping"}
    assert recipe(name).layers == NETS[name].layers and recipe(name).early_stopping is None
    assert recipe(name) != NETS[name]
    assert recipe(name).optimizer.class_ in described(name) and f"{recipe(name).epochs} epochs" in described(name)
    for setting in set(recipe(name).optimizer.settings) - {"learning_rate"}:
        assert setting.replace("_", " ") in described(name), "a setting that the table does not show"


def test_every_net_of_the_notebook_has_a_recipe() -> None:
    assert set(recipes()) == set(notebook.NETS)


def test_the_experiment_trains_every_net_by_its_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {name: recipe(name) for name in NETS}
    # Settings that a recipe does not have must go.
    params = (
        (ROOT / "params.yaml").read_text().replace("optimizer: {class: Adam}", "optimizer: {class: SGD, momentum: 0.5}")
    )
    # The project of a user: DVC, params.yaml, and one stage that keeps what it was given.
    (tmp_path / "params.yaml").write_text(params)
    (tmp_path / "dvc.yaml").write_text("stages: {keep: {cmd: cp params.yaml kept, params: [nets], outs: [kept]}}\n")
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("*.py"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    identity = ("-c", "user.name=A tester", "-c", "user.email=tester@example.org")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["git", "add", "."]):
        subprocess.run(command, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "-m", "a project"], check=True)

    recipes_main()
    assert (tmp_path / "params.yaml").read_text() == params
    subprocess.run(["dvc", "exp", "apply", "recipes"], check=True)
    for name in recipes():
        assert nets_section.load_one(name) == expected[name]
    assert {name: net for name, net in nets_section.load().items() if name not in recipes()} == {
        name: net for name, net in NETS.items() if name not in recipes()
    }


def test_recipes_of_nets_that_are_not_declared_are_refused(edited_params: Any) -> None:
    shutil.copytree(ROOT / "benchmarks", "benchmarks")
    edited_params(*((f"  {name}:\n    layers", f"  my-{name}:\n    layers") for name in recipes()))
    with pytest.raises(UserError, match="deep-cnn"):
        recipes_main()


# Figures


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law(power: float) -> None:
    rows = [7_000, 14_000, 28_000, 56_000]
    assert growth.exponent(rows, [3.0 * size**power for size in rows]) == pytest.approx(power)


def test_the_picture_of_growth_names_every_model_and_its_exponent() -> None:
    models = {name: {7000: 1.0, 14000: 2.0, 28000: 4.0} for name in ("knn", "softmax")}
    figure = growth.growth_figure(models, ["softmax"])
    texts = [text.get_text() for axes in figure.axes for text in axes.get_legend().get_texts()]
    assert texts == ["knn, p = 1.00", "softmax, p = 1.00"]
    assert len(growth.growth_figure(models, []).axes) == 1  # no panel without a line


MEASURED = {"fit_seconds": 100.0, "predict_seconds": 2.0, "whole": True, "accuracy": 0.9, "peak_memory_mb": 2000}
OURS = {
    "fit_seconds": 9.0,
    "predict_seconds": 1.2,
    "accuracy": 0.91,
    "seeds": [1, 2, 3],
    "split": "notebook",
    "peak_memory_mb": 1234,
}
ROW = {
    "compared": tables.TO_ACCURACY,
    "notebook": {**MEASURED, "whole": False},
    "ours": OURS,
    "ratio": 10.0,
    "predictions_that_differ": None,
    "target_accuracy": 0.9,
    "target_measured": False,
}


def test_the_table_says_what_was_compared_and_what_was_only_reckoned() -> None:
    text = tables.benchmark_table({"deep": ROW})
    assert (
        "| deep | time to its accuracy | 100 + 2.0 s ¹ | 9.0 + 1.2 s | **10.0 times** | 0.9000 ² | "
        "0.9100 (mean of 3 seeds) | 1.23 GB |" in text
    )
    assert "¹ Reckoned from its first two epochs" in text and "² Of a run of the cell" in text
    alone = {**ROW, "compared": "–", "notebook": None, "ratio": None, "target_accuracy": None}
    assert "| best | – | – | 9.0 + 1.2 s | – | – | 0.9100" in tables.benchmark_table({"best": alone})


def test_whole_runs_are_compared_without_what_the_notebook_does_not_run() -> None:
    runs = {
        "stages": 20,
        "cold_seconds": 600.0,
        "stage_seconds": {"train-baselines@svc-rbf": 50.0, "train-nets@best": 150.0},
        "stage_memory_mb": {"train-baselines@svc-rbf": 900, "train-nets@best": 1300},
        "no_op_seconds": 3.0,
        "empty_no_op_seconds": 2.5,
        "one_net": "nets.x.epochs=1",
        "one_net_seconds": 40.0,
        "added": ["best"],
    }
    text = tables.pipeline_table(runs, 2200.0)
    assert "| … without svc-rbf, which the notebook does not run | 550 | 4.0 times" in text
    assert "| … and without best | 400 | 5.5 times" in text
    assert "| 3.0 | 1.20 times an empty pipeline of as many stages (2.5 s) |" in text
    assert "No stage takes more memory than train-nets@best: 1.30 GB." in text
    assert "times faster" not in tables.pipeline_table(runs, None)


def test_remarks_tell_what_the_table_has_no_room_for() -> None:
    same = {**ROW, "compared": tables.SAME, "predictions_that_differ": 3}
    many = {**OURS, "seeds": [1, 2], "accuracies": [0.98, 0.991], "longest_fit_seconds": 9.56, "split": "official"}
    fast = {**ROW, "compared": "–", "notebook": None, "ratio": None, "target_accuracy": None, "ours": many}
    assert tables.remarks({"knn": same, "mlp": ROW, "fast": fast}) == [
        "- knn: 3 of the 14,000 predictions are not the cell's.",
        "- fast: the slowest of its 2 trainings took 9.6 s; accuracies from 0.9800 to 0.9910.",
    ]
    assert "0.9100 (mean of 2 seeds, official split)" in tables.benchmark_table({"fast": fast})


def test_a_report_of_a_part_has_that_part_alone() -> None:
    report = {**report_so_far(), "models": {"softmax": ROW}, "step": {}, "growth": {}, "pipeline": {}}
    text = markdown(report)
    assert text.startswith("# This pipeline against the notebook's cells\n") and "cores of" in text
    assert "<!-- models -->" in text and "| softmax | Adam, learning rate" in text
    assert "step" not in text.split("## Recipes")[1].split("rows a step")[-1]
    steps = {"deep-cnn": {"the cell": 400.0, "ours": 100.0}}
    assert "| deep-cnn, the cell | 400 | 4.0 times |" in markdown({**report, "step": steps})


# Measuring


def test_an_empty_pipeline_runs_once_and_has_nothing_to_do_then(tmp_path: Path) -> None:
    again = pipeline.empty_pipeline(tmp_path / "empty", 3)
    assert sorted(path.name for path in (tmp_path / "empty").glob("out-*")) == ["out-0", "out-1", "out-2"]
    before = (tmp_path / "empty" / "dvc.lock").read_bytes()
    assert again() > 0
    assert (tmp_path / "empty" / "dvc.lock").read_bytes() == before


def test_a_command_that_fails_stops_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'git no-such-command' failed"):
        pipeline._run(["git", "no-such-command"], tmp_path)


def test_an_unknown_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "sofmax"])
    with pytest.raises(UserError, match="did you mean 'softmax'"):
        bench_main()


def folder_with(parts: tuple[str, ...], folder: Path) -> Path:
    for part in parts:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).symlink_to(ROOT / part)
    (folder / "reports").mkdir()
    return folder


def test_figures_of_another_machine_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder_with((), tmp_path))
    new = report_so_far()
    assert new["models"] == {} and new["machine"]["cores"] >= 1 and new["versions"]["keras"]
    kept = {**new, "models": {"softmax": ROW}}
    Path("reports/benchmark.json").write_text(json.dumps(kept))
    assert report_so_far() == kept
    Path("reports/benchmark.json").write_text(json.dumps({**kept, "machine": {**new["machine"], "cores": 128}}))
    assert report_so_far() == new
    assert "is of another machine or of other versions" in capsys.readouterr().out


@pytest.mark.slow
def test_a_benchmark_of_one_model_from_beginning_to_end(tmp_path: Path) -> None:
    parts = ("params.yaml", "benchmarks", "stages", "data/mnist")
    folder = folder_with(parts, tmp_path)
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "softmax"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert "bench: reports/benchmark.md has the table" in ran.stdout
    report = json.loads((folder / "reports/benchmark.json").read_text())
    row = report["models"]["softmax"]
    assert list(report["models"]) == ["softmax"] and row["compared"] == tables.TO_ACCURACY
    assert row["notebook"]["whole"] and 0.9 < row["notebook"]["accuracy"] < 0.94
    assert row["ours"]["seeds"] == [101, 102, 103] and len(set(row["ours"]["accuracies"])) > 1
    assert row["ours"]["accuracy"] >= notebook.REACHED["softmax"] == row["target_accuracy"]
    assert "| softmax | time to its accuracy |" in (folder / "reports/benchmark.md").read_text()


def test_a_measurement_in_its_own_process(tmp_path: Path) -> None:
    output = tmp_path / "measured.json"
    command = [sys.executable, "-m", "benchmarks.measure", "model", "ours", "softmax", "--seed", "1"]
    subprocess.run([*command, "--output", str(output)], cwd=ROOT, check=True)
    measured = json.loads(output.read_text())
    assert measured["accuracy"] > 0.9 and len(measured["codes"]) == 14_000
    assert np.isfinite(measured["fit_seconds"]) and measured["peak_memory_mb"] > 100
