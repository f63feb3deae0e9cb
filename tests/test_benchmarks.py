"""The benchmark: the notebook's cells, the recipes, the tables and chart, and one measurement of each kind."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import edit, growth, measure, notebook, ours, pipeline, tables
from benchmarks.__main__ import main as bench_main
from benchmarks.data import Data
from benchmarks.recipes import described, recipe, recipes
from benchmarks.recipes import main as recipes_main
from benchmarks.report import main as tables_main
from benchmarks.report import markdown, read_report
from stages.shared.errors import UserError
from stages.shared.params import baselines_section, nets_section
from stages.shared.params.settings import check_section
from stages.shared.params.yaml_file import read
from tests.fixtures.notebook import notebook_only
from tests.fixtures.small_project import PARAMS, ROOT, Project
from tests.fixtures.synthetic import digits, pixels
from tools.readme import read_part

NETS = check_section("nets", nets_section.Nets, read(PARAMS)).root
BASELINES = check_section("baselines", baselines_section.Baselines, read(PARAMS)).root


@pytest.fixture(autouse=True)
def _with_the_models_of_the_notebook(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ("params.yaml", "benchmarks", "cluster", "stages", "tools", "data/mnist")
    monkeypatch.chdir(folder_with(parts, tmp_path_factory.mktemp("notebook")))


@pytest.fixture(scope="module")
def few() -> Data:
    images, labels = digits(160)
    values = pixels(images)
    return Data(values[:120], labels[:120], values[120:], labels[120:])


# The notebook's cells


def test_every_model_of_the_notebook_has_a_cell_and_is_declared() -> None:
    assert set(notebook.NETS) | {"linear-svc", "sgd", "knn", "svc-rbf"} == set(notebook.REACHED)
    assert set(notebook.REACHED) <= {*NETS, *BASELINES}


@pytest.mark.parametrize("name", notebook.NETS)
def test_a_cells_net_has_the_layers_of_the_declared_one(name: str) -> None:
    import keras

    from stages.shared.models.build_net import build
    from stages.shared.models.fourier_conv2d import plain

    def configurations(model: keras.Model) -> list[dict[str, Any]]:
        layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
        return [{**layer.get_config(), "name": type(layer).__name__, "trainable": True} for layer in layers]

    assert configurations(notebook.net(name)) == configurations(plain(build(name, NETS[name], 28, 28, 10)))
    assert notebook.NETS[name] == (NETS[name].epochs, NETS[name].batch_size)


@pytest.mark.parametrize("name", ["linear-svc", "sgd", "knn", "svc-rbf"])
def test_a_cells_classifier_is_the_declared_one(name: str) -> None:
    from stages.shared.models import build_classifier

    cell = notebook.classifier(name)
    declared = build_classifier.build(BASELINES[name].class_, BASELINES[name].settings, 42, ("baselines", name))
    assert type(cell) is type(declared)
    free = ("random_state", "n_jobs")  # not compared
    settings = [
        {key: value for key, value in model.get_params().items() if key not in free} for model in (cell, declared)
    ]
    assert settings[0] == settings[1]


@pytest.mark.parametrize("name", [*notebook.REACHED])
def test_both_programs_train_and_predict(name: str, few: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    # TensorFlow accepts the number of threads once per process, before its first operation.
    monkeypatch.setattr("tensorflow.config.threading.set_intra_op_parallelism_threads", lambda threads: None)
    monkeypatch.setattr(notebook, "LONGEST_FIT", 0.0)  # two epochs are enough here
    theirs, mine = notebook.run(name, few), ours.run(name, few, seed=1)
    for measured in (theirs, mine):
        assert measured["fit_seconds"] > 0 and measured["predict_seconds"] > 0
        assert measured["codes"].shape == few.test_labels.shape and set(measured["codes"]) <= set(range(10))
    assert theirs["whole"] == (name not in notebook.NETS)
    if name == "knn":
        assert mine["codes"].tolist() == theirs["codes"].tolist()


def test_an_incomplete_training_is_extrapolated(few: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "LONGEST_FIT", 0.0)
    extrapolated = notebook.run("softmax", few)
    monkeypatch.setattr(notebook, "LONGEST_FIT", 1e9)
    complete = notebook.run("softmax", few)
    assert (extrapolated["whole"], complete["whole"]) == (False, True)
    assert extrapolated["fit_seconds"] > complete["fit_seconds"]  # Keras traces the graph in the first epoch


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
    params = PARAMS.read_text().replace("optimizer: {class: Adam}", "optimizer: {class: SGD, momentum: 0.5}")
    # The project of a user: DVC, params.yaml, and one stage that keeps what it was given.
    (tmp_path / "params.yaml").write_text(params)
    (tmp_path / "dvc.yaml").write_text("stages: {keep: {cmd: cp params.yaml kept, params: [nets], outs: [kept]}}\n")
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=shutil.ignore_patterns("*.py"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for command in ("git init -q", "dvc init -q", "git add .", "git commit -q -m project"):
        subprocess.run(command.split(), check=True)

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


def test_the_chart_of_growth_names_every_model_and_its_exponent() -> None:
    models = {name: {7000: 1.0, 14000: 2.0, 28000: 4.0} for name in ("knn", "softmax")}
    panels = growth.growth_chart(models, ["softmax"]).to_dict()["hconcat"]
    domains = [panel["layer"][0]["encoding"]["color"]["scale"]["domain"] for panel in panels]
    assert domains == [["knn, p = 1.00"], ["softmax, p = 1.00"]]
    assert len(growth.growth_chart(models, []).to_dict()["hconcat"]) == 1  # no empty panel


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
    "notebook": {**MEASURED, "whole": False},
    "ours": OURS,
    "predictions_that_differ": None,
    "target_accuracy": 0.9,
    "target_measured": False,
}
ADDED = {**ROW, "notebook": None, "target_accuracy": None}


def cells(text: str, name: str) -> list[str]:
    """Return the cells of a model's row in a Markdown table."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_shows_both_programs_and_the_seconds_of_the_default_stage() -> None:
    models = {"deep": ROW, "best": ADDED, "knn": {**ROW, "ours": {**OURS, "seeds": []}}}
    text = tables.benchmark_table(models, {"train-nets@deep": 236.4, "train-baselines@knn": 12.3})
    mean = "0.9100 (mean of 3 seeds)"
    assert cells(text, "deep") == [
        *("deep", tables.TO_ACCURACY, "100 + 2.0 s ¹", "9.0 + 1.2 s", "**10.0 times**", "0.9000 ²", mean),
        *("1.23 GB", "236 s"),
    ]
    assert cells(text, "best") == ["best", "–", "–", "9.0 + 1.2 s", "–", "–", mean, "1.23 GB", "–"]
    assert cells(text, "knn")[1] == tables.SAME and cells(text, "knn")[-1] == "12 s"
    assert "\n¹ " in text and "\n² " in text
    heading, alignment = text.splitlines()[:2]
    assert heading.count("|") == alignment.count("|") == 10 and "default stage" in heading


def test_whole_runs_are_compared_without_the_models_that_the_notebook_does_not_run() -> None:
    runs = {
        "stages": 20,
        "cold_seconds": 600.0,
        "stage_seconds": {"train-baselines@svc-rbf": 50.0, "train-nets@best": 150.0},
        "stage_memory_mb": {"train-baselines@svc-rbf": 900, "train-nets@best": 1300},
        "no_op_seconds": 3.0,
        "one_net": "nets.x.epochs=1",
        "one_net_seconds": 40.0,
    }
    text = tables.pipeline_table(runs, ["best"], 2200.0)
    assert "svc-rbf, which the notebook does not run | 550 | 4.0 times" in text
    assert "without best | 400 | 5.5 times" in text
    assert "nothing to do | 3.0 |" in text and "train-nets@best: 1.30 GB" in text
    assert " times" not in tables.pipeline_table(runs, ["best"], None)


def test_remarks_compare_predictions_and_give_the_range_of_seeds() -> None:
    many = {**OURS, "seeds": [1, 2], "accuracies": [0.98, 0.991], "longest_fit_seconds": 9.56, "split": "official"}
    fast = {**ADDED, "ours": many}
    knn, added = tables.remarks({"knn": {**ROW, "predictions_that_differ": 3}, "mlp": ROW, "fast": fast})
    assert knn.startswith("- knn: 3 of 14,000 ")
    assert added.startswith("- fast: ") and all(figure in added for figure in ("9.6 s", "0.9800", "0.9910"))
    assert "0.9100 (mean of 2 seeds, MNIST's own split)" in tables.benchmark_table({"fast": fast}, {})


def test_a_report_of_one_part_has_only_that_part() -> None:
    report = {**read_report(), "models": {"softmax": ROW}, "step": {}, "growth": {}, "pipeline": {}, "edit": []}
    text = markdown(report)
    assert "cores of" in text and "<!-- models -->" in text and "| softmax | Adam, learning rate" in text
    assert re.findall("^## (.*)", text, re.MULTILINE) == ["Recipes"]
    steps = {"deep-cnn": {"notebook": 400.0, "this project": 100.0}}
    assert "| deep-cnn | notebook | 400 | 4.0 |" in markdown({**report, "step": steps})
    edits = [{"run": "an edit", "seconds": 12.04, "imports": 2.76, "bar": 3}]
    assert "\n## From an edit to its result\n" in markdown({**report, "edit": edits})
    assert "| an edit | 12.0 | 2.8 | 3 |" in markdown({**report, "edit": edits})
    fast = {"run": "24 stages", "serial_seconds": 500.4, "seconds": 90.6, "figure": "5.5 times faster", "bar": "5"}
    slow = {**fast, "serial_seconds": None, "figure": "2.04 s"}
    text = markdown({**report, "at_once": {"cluster": [{**fast, "met": True}], "other": [{**slow, "met": False}]}})
    assert "\n## Stages at once\n" in text
    assert "| 24 stages | 500 s | 91 s | 5.5 times faster | 5 |\n| 24 stages | – | 91 s | 2.04 s | 5: missed |" in text


@notebook_only
def test_the_tables_are_written_again_without_measuring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = read_part(ROOT / "reports/benchmark.md", "models")
    monkeypatch.chdir(folder_with(("params.yaml", "benchmarks"), tmp_path))
    with pytest.raises(UserError, match="make bench"):
        tables_main()
    shutil.copy(ROOT / "reports/benchmark.json", "reports")
    tables_main()
    assert read_part(Path("reports/benchmark.md"), "models") == stored, "run 'python -m benchmarks.report'"
    assert Path("reports/benchmark-growth.png").read_bytes().startswith(b"\x89PNG")


# Measuring


def test_a_command_that_fails_stops_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="'git no-such-command' failed"):
        pipeline.run_command(["git", "no-such-command"], tmp_path)


def test_an_unknown_part_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "sofmax"])
    with pytest.raises(UserError, match="did you mean 'softmax'"):
        bench_main()


def test_stages_at_once_are_not_timed_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bench", "softmax", "cluster"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="'make cluster' installs it"):
        bench_main()


def folder_with(paths: tuple[str, ...], folder: Path) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(PARAMS if path == "params.yaml" else ROOT / path)
    (folder / "reports").mkdir()
    return folder


def test_figures_of_another_machine_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder_with((), tmp_path))
    new = read_report()
    assert new["models"] == {} and new["machine"]["cores"] >= 1 and new["versions"]["keras"]
    kept = {**new, "models": {"softmax": ROW}}
    Path("reports/benchmark.json").write_text(json.dumps(kept))
    assert read_report() == kept
    Path("reports/benchmark.json").write_text(json.dumps({part: kept[part] for part in kept if part != "edit"}))
    assert read_report() == kept, "a report from before a part was added"
    Path("reports/benchmark.json").write_text(json.dumps({**kept, "machine": {**new["machine"], "cores": 128}}))
    assert read_report() == new
    assert "reports/benchmark.json" in capsys.readouterr().out


@pytest.mark.slow
def test_a_benchmark_of_one_model_from_beginning_to_end(tmp_path: Path) -> None:
    parts = ("params.yaml", "benchmarks", "cluster", "stages", "tools", "data/mnist")
    folder = folder_with(parts, tmp_path)
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "softmax"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert "reports/benchmark.md" in ran.stdout
    report = json.loads((folder / "reports/benchmark.json").read_text())
    row = report["models"]["softmax"]
    assert list(report["models"]) == ["softmax"]
    assert row["notebook"]["whole"] and 0.9 < row["notebook"]["accuracy"] < 0.94
    assert row["ours"]["seeds"] == [101, 102, 103] and len(set(row["ours"]["accuracies"])) > 1
    assert row["ours"]["accuracy"] >= notebook.REACHED["softmax"] == row["target_accuracy"]
    assert f"| softmax | {tables.TO_ACCURACY} |" in (folder / "reports/benchmark.md").read_text()


@pytest.mark.slow
def test_an_edit_is_timed_in_a_clone(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = finished.copy(tmp_path / "project")
    shutil.copytree(ROOT / "tools", project.folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data" / "examples", project.folder / "data" / "examples")
    project.commit()
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(edit, "REPEATS", 1)
    repro, predict, quick = edit.edit_to_result()
    assert "edit of dense" in repro["run"] and "predict dense" in predict["run"] and "quick" in quick["run"]
    for row in (repro, predict, quick):
        assert row["seconds"] > 0 and row["imports"] > 0
    assert project.succeed("git", "status", "--porcelain").output == ""
    assert project.succeed("git", "for-each-ref", "refs/exps").output == ""
    assert project.succeed("dvc", "config", "--list").output.count("here") == 0


def test_a_measurement_in_a_new_process() -> None:
    measured = measure.in_new_process(measure.our_model, "softmax", 1, False)
    assert measured["accuracy"] > 0.9 and len(measured["codes"]) == 14_000
    assert np.isfinite(measured["fit_seconds"]) and measured["peak_memory_mb"] > 100


def test_a_measurement_that_fails_stops_the_benchmark() -> None:
    with pytest.raises(UserError, match="no-such-model"):
        measure.in_new_process(measure.our_model, "no-such-model", None, False)
