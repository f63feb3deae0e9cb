"""The whole pipeline as users run it: the real dvc.yaml and stages, with small data."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from stages.fetch.idx_files import from_folder
from tests.fixtures.idx_files import Digits, gzipped, write
from tests.fixtures.small_project import BASELINES, NETS, PARAMS, ROOT, SIDE, TRAIN_ROWS, Project, write_digits
from tools.libraries import locked

MODELS = [*BASELINES, *NETS]
PLOTS = {*(f"plot-weights@{name}" for name in NETS), *(f"plot-baselines@{name}" for name in BASELINES)}
CHECKS = {"check-params", "check-models"}


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    return finished.copy(tmp_path / "project")


def test_every_stage_writes_its_outputs(finished: Project) -> None:
    folder = finished.folder
    for name in MODELS:
        assert (folder / f"models/predictions/{name}.npz").is_file()
        facts = json.loads(finished.read(f"models/facts/{name}.json"))
        assert facts["train_accuracy"] > 0.5, f"{name} learned nothing"
        metrics = json.loads(finished.read(f"reports/metrics/{name}.json"))
        assert metrics["test_accuracy_low"] < metrics["test_accuracy"] <= metrics["test_accuracy_high"]
        assert len(pd.read_csv(folder / f"reports/confusion/{name}.csv")) == 120
        assert "macro avg" in finished.read(f"reports/classification/{name}.txt")
        assert (folder / f"reports/pictures/models/{name}/confusion.png").stat().st_size > 1000
    for name in NETS:
        history = pd.read_csv(folder / f"reports/history/{name}.csv")
        assert list(history) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
        assert "Trainable params" in finished.read(f"reports/summaries/{name}.txt")
        assert (folder / f"reports/pictures/models/{name}/curves.png").is_file()
    weights = {
        "convolution": ["filters", "output"],
        "dense": ["hidden", "output"],
        "linear": ["coefficients"],
        "neighbours": [],
    }
    for name, layers in weights.items():
        pictures = sorted((folder / f"reports/pictures/models/{name}").glob("weights.*"))
        assert [path.name for path in pictures] == [f"weights.{layer}.png" for layer in layers]
    for page in ("reports/index.html", "reports/README.md"):
        assert all(name in finished.read(page) for name in MODELS)
    leaderboard = json.loads(finished.read("reports/leaderboard.json"))
    assert sorted(row["model"] for row in leaderboard) == sorted(MODELS)
    validation = [row["validation_accuracy"] for row in leaderboard]
    assert validation == sorted(validation, reverse=True)
    assert not [path for path in folder.rglob(".writing-*")], "a temporary file was left behind"


def test_dvc_shows_metrics_and_plots(project: Project) -> None:
    shown = json.loads(project.succeed("dvc", "metrics", "show", "--json").output)
    for name in MODELS:
        assert shown[""]["data"][f"reports/metrics/{name}.json"]["data"]["test_accuracy"] > 0.2
    plots = project.succeed("dvc", "plots", "show", "--json").output
    assert "failed" not in plots
    for file in ("reports/history/dense.csv", "reports/confusion/linear.csv", "reports/pictures/overview/errors.png"):
        assert file in plots


def test_a_second_run_does_nothing(finished: Project) -> None:
    ran = finished.succeed("dvc", "repro")
    assert ran.stages == []
    assert "up to date" in ran.output


def test_a_stage_that_dvc_does_not_run_changes_no_timing(project: Project) -> None:
    """`make repro` runs check-params before DVC, and must leave Git unchanged where there is nothing to do."""
    project.succeed("python", "-m", "stages.check_params")
    assert project.succeed("git", "status", "--porcelain").output == ""
    names = {path.stem for path in (project.folder / "reports/timings").iterdir()}
    assert {"hash-code", "check-params", *PLOTS, "train-nets@dense", "train-baselines@linear"} <= names


def test_a_forced_rerun_leaves_lock_and_git_unchanged(project: Project) -> None:
    before = project.lock
    assert len(project.repro("--force")) == 15
    assert project.lock == before
    changed = project.succeed("git", "status", "--porcelain").output.split()[1::2]
    assert [file for file in changed if not file.startswith("reports/timings/")] == []


def test_an_edit_of_one_net_reruns_that_net_alone(project: Project) -> None:
    project.edit(lambda params: params["nets"]["dense"]["layers"]["hidden"].update(units=6))
    assert set(project.repro()) == {*CHECKS, "train-nets@dense", "evaluate", "plot-weights@dense", "report"}
    project.edit(lambda params: params["nets"]["dense"]["layers"]["hidden"].update(units=8))
    # DVC takes the results of training from its run cache.
    assert set(project.repro()) == {*CHECKS, "evaluate", "plot-weights@dense", "report"}


@pytest.mark.slow
def test_another_clone_takes_over_results_that_were_pushed_with_the_run_cache(project: Project, tmp_path: Path) -> None:
    project.succeed("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    project.commit()
    clone = Project(tmp_path / "clone")
    project.succeed("git", "clone", "--quiet", str(project.folder), str(clone.folder))

    def change(params: dict[str, Any]) -> None:
        params["nets"]["dense"]["epochs"] = 1
        params["baselines"]["linear"]["C"] = 0.2

    project.edit(change)
    project.repro()
    project.succeed("dvc", "push", "--run-cache")
    clone.edit(change)
    ran = clone.repro("--pull")
    assert not [stage for stage in ran if stage.startswith(("train", "normalise"))]
    assert clone.lock == project.lock


def test_a_comment_in_params_reruns_the_checks_alone(project: Project) -> None:
    with (project.folder / "params.yaml").open("a") as file:
        file.write("\n# a note\n")
    assert set(project.repro()) == CHECKS


def edit_text(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("stages/shared/process/console.py", "{description}: {done:,}"),
        ("stages/shared/process/run.py", "out of memory"),
        ("stages/shared/files/whole_files.py", '"""Writing files'),
        ("stages/shared/errors.py", "did you mean"),
    ],
)
def test_a_reworded_message_or_docstring_reruns_nothing(project: Project, file: str, text: str) -> None:
    edit_text(project.folder / file, text, f"{text} reworded")
    assert project.repro() == ["hash-code"]


@pytest.mark.parametrize(
    ("library", "reruns"),
    [
        ("keras", {"hash-code", "check-models", *(f"train-nets@{name}" for name in NETS)}),
        ("matplotlib", {"hash-code", *PLOTS, "report"}),
        ("ruff", set()),
    ],
)
def test_a_new_version_of_a_library_reruns_the_stages_that_use_it(
    project: Project, library: str, reruns: set[str]
) -> None:
    requirements = "".join(path.read_text() for path in sorted(ROOT.glob("requirements*.txt")))
    version = re.search(rf"^{library}==([\w.]+)", requirements, re.MULTILINE)
    assert version is not None
    versions = locked(requirements.replace(f"{library}=={version[1]}", f"{library}=={version[1]}.1"))
    (project.folder / "libraries.json").write_text(json.dumps(versions, indent=2) + "\n")
    ran = set(project.repro("hash-code"))
    assert ran | set(json.loads(project.succeed("dvc", "status", "--json").output)) == reruns


def test_a_picture_setting_retrains_nothing(project: Project) -> None:
    before = (project.folder / "reports/pictures/models/dense/weights.hidden.png").read_bytes()
    project.edit(lambda params: params["pictures"]["weights"]["dense"]["hidden"].update(range=0.5))
    assert set(project.repro()) == {*CHECKS, *PLOTS, "report"}
    assert (project.folder / "reports/pictures/models/dense/weights.hidden.png").read_bytes() != before


@pytest.mark.slow
def test_a_new_net_is_one_edit_and_leaves_no_trace_when_removed(project: Project) -> None:
    project.edit(lambda params: params["nets"].update(wide={**NETS["dense"], "seed": 1, "epochs": 1}))
    assert set(project.repro()) == {*CHECKS, "train-nets@wide", "evaluate", "plot-weights@wide", "report"}
    assert (project.folder / "reports/pictures/models/wide/weights.hidden.png").is_file()
    project.commit()

    project.edit(lambda params: params["nets"].pop("wide"))
    ran = project.succeed("dvc", "repro")
    # check-models is as it was before the net was added, so DVC takes its result from the run cache.
    assert set(ran.stages) >= {"check-params", "evaluate"}
    assert not any(stage.startswith("train") for stage in ran.stages)
    assert "removed models/nets/wide.keras" in ran.output.partition("evaluate")[0], "before the other stages run"
    assert [path for path in project.folder.glob("*/**/*wide*") if ".dvc" not in path.parts] == []


def test_a_clone_that_pulls_runs_nothing(project: Project, tmp_path: Path) -> None:
    # This holds for every supported Python: dvc.lock depends on libraries.json, which has one version for all, but not
    # on Python. To check another one by hand: `make PYTHON=python3.13 setup` in a clone, then `dvc pull; dvc repro`.
    project.succeed("dvc", "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    project.commit()
    project.succeed("dvc", "push")
    project.succeed("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.succeed("dvc", "pull")
    assert clone.repro() == []
    assert "up to date" in clone.succeed("dvc", "status").output


def test_another_source_of_the_same_data_reruns_nothing_after_fetch(project: Project) -> None:
    write_digits(project.folder / "elsewhere", compressed=False)
    project.edit(lambda params: params["fetch"].update(source="elsewhere"))
    assert set(project.repro()) == {*CHECKS, "fetch"}


@pytest.mark.slow
def test_images_as_other_sources_store_them_give_the_same_models(project: Project) -> None:
    raw = from_folder(project.folder / "data/mnist")
    raw = raw._replace(images=255 - raw.images.transpose(0, 2, 1))
    write(project.folder / "data/mnist", gzipped(Digits(raw.images, raw.labels, TRAIN_ROWS).files()))
    project.edit(lambda params: params["fetch"].update(transposed=True, inverted=True))
    # The split records that the source is inverted; no model is trained again, so predict reads digits as before.
    assert project.repro() == ["check-params", "fetch", "normalise-and-split", "check-models"]


@pytest.mark.slow
def test_without_a_validation_set_all_epochs_are_trained(project: Project) -> None:
    project.edit(lambda params: params["split"].update(validation=0.0))
    project.edit(lambda params: [params["nets"].pop("convolution"), params["baselines"].pop("linear")])
    project.repro()
    metrics = json.loads(project.read("reports/metrics/dense.json"))
    assert metrics["validation_accuracy"] is None
    assert json.loads(project.read("reports/summary.json"))["dense"] == metrics["test_accuracy"]
    history = pd.read_csv(project.folder / "reports/history/dense.csv")
    assert list(history) == ["epoch", "accuracy", "loss"]
    assert len(history) == 3


def test_training_does_not_read_the_test_labels(project: Project) -> None:
    (project.folder / "data/split/test/labels.npy").unlink()
    for stage, name in (("train_baselines", "neighbours"), ("train_nets", "dense")):
        before = (project.folder / f"models/predictions/{name}.npz").read_bytes()
        project.succeed("python", "-m", f"stages.{stage}", name)
        assert (project.folder / f"models/predictions/{name}.npz").read_bytes() == before


def test_a_mistake_stops_before_any_work(project: Project) -> None:
    before = project.lock
    project.edit(lambda params: params["nets"]["dense"].update(epoch=3))
    ran = project.run("dvc", "repro")
    assert ran.code != 0
    assert ran.stages == ["check-params"]
    assert "nets.dense.epoch: unknown key" in ran.output and "epochs" in ran.output
    assert "Traceback" not in ran.output
    assert project.lock == before


@pytest.mark.parametrize("others", [0, 1])
def test_a_kernel_larger_than_the_image_stops_before_any_training(project: Project, others: int) -> None:
    project.edit(lambda params: params["nets"]["convolution"]["layers"]["filters"].update(kernel_size=[15, 15]))
    if others:
        project.edit(lambda params: params["nets"]["dense"].update(epochs=4))
    ran = project.run("dvc", "repro")
    assert ran.code != 0
    # The training stage tries a single edited model, which it would import TensorFlow for anyway.
    assert ran.stages == ["check-params", "check-models", "train-nets@convolution"][: 2 if others else 3]
    stage = "check-models" if others else "train-nets"
    assert re.search(rf"{stage}: params.yaml, line \d+: nets.convolution.layers.filters", ran.output), ran.output
    assert f"{SIDE} x {SIDE}" in ran.output and "Traceback" not in ran.output


def test_a_picture_that_an_edited_net_cannot_have_stops_before_its_training(project: Project) -> None:
    project.edit(lambda params: params["nets"]["dense"]["layers"].update(hidden={"class": "ReLU"}))
    ran = project.run("dvc", "repro")
    assert ran.code != 0 and ran.stages == ["check-params", "check-models", "train-nets@dense"]
    assert "pictures.weights.dense.hidden: this layer has no weights that are drawn" in ran.output
    assert "parameters on" not in ran.output and "Traceback" not in ran.output


@pytest.mark.slow
def test_a_model_has_the_same_bytes_whichever_stage_tries_it(project: Project) -> None:
    def outputs(stage: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = YAML(typ="safe").load(project.lock)["stages"][stage]["outs"]
        return found

    for kind, name, setting in (("nets", "convolution", "epochs"), ("baselines", "linear", "max_iter")):
        stage = f"train-{kind}@{name}"
        before, kept = outputs(stage), project.read("params.yaml")
        project.edit(lambda params: params[kind][name].update({setting: 3}))  # noqa: B023
        project.repro(stage)
        assert outputs(stage) != before
        (project.folder / "params.yaml").write_text(kept)
        assert stage in project.repro("--no-run-cache", stage)
        assert outputs(stage) == before


@pytest.mark.slow
def test_official_division_and_class_names_reach_every_table(project: Project) -> None:
    names = ["T-shirt/top", "01", "NA", "été"]
    project.edit(lambda params: params["split"].update(test="official", class_names=names))
    project.edit(lambda params: [params["nets"].pop("convolution"), params["baselines"].pop("linear")])
    project.repro()
    labels = np.load(project.folder / "data/split/test/labels.npy")
    assert len(labels) == 120
    confusion = pd.read_csv(project.folder / "reports/confusion/dense.csv", dtype=str, keep_default_na=False)
    assert set(confusion["actual"]) == set(names)
    assert all(name in project.read("reports/classification/dense.txt") for name in names)


def test_a_stage_refuses_a_model_that_is_not_declared(tmp_path: Path) -> None:
    shutil.copy(PARAMS, tmp_path / "params.yaml")
    project = Project(tmp_path)
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    ran = project.run("python", "-m", "stages.train_baselines", "knnn")
    assert ran.code == 1
    assert ran.output.startswith("train-baselines: ")
    assert "'knnn'" in ran.output and "linear-svc" in ran.output
    assert "Traceback" not in ran.output
