"""Experiments as documented: from the command line, queued, with a net added and a net removed; then compared."""

import json
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from tests.fixtures.small_project import BASELINES, NETS, ROOT, Project
from tools.experiments import differences

pytestmark = pytest.mark.slow

QUEUE_SECONDS = 900
LAYERS = "{flatten: {class: Flatten}, output: {class: Dense, units: classes, activation: softmax}}"
WIDE = f"{{layers: {LAYERS}, epochs: 1, batch_size: 32}}"


class Experiments(NamedTuple):
    """A project with experiments.

    Attributes
    ----------
    project : Project
        Its workspace contains the experiment "units".
    shown : dict of str to dict
        Name -> its entry in `dvc exp show --json`; "main" is the commit that all are based on.
    trained : dict of str to list of str
        Name -> training stages that ran.
    """

    project: Project
    shown: dict[str, dict[str, Any]]
    trained: dict[str, list[str]]


@pytest.fixture(scope="module")
def compared(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Experiments:
    """Four queued experiments, two of them from one command, and one in the workspace."""
    project = finished.copy(tmp_path_factory.mktemp("experiments") / "project")
    run = ("dvc", "exp", "run")
    project.succeed(*run, "--queue", "--name", "epochs", "-S", "nets.dense.epochs=1,2")
    project.succeed(*run, "--queue", "--name", "added", "-S", f"+nets.wide={WIDE}")
    project.succeed(*run, "--queue", "--name", "removed", "-S", "~nets.convolution")
    project.succeed("dvc", "queue", "start")
    try:
        wait_for_queue(project)
    finally:
        project.run("dvc", "queue", "stop", "--kill")
    ran = {
        name: re.findall(r"Running stage '([^']+)'", project.succeed("dvc", "queue", "logs", name).output)
        for name in ("epochs-1", "epochs-2", "added", "removed")
    }
    ran["units"] = project.succeed(*run, "--name", "units", "-S", "nets.dense.layers.hidden.units=6").stages
    _, commit = json.loads(project.succeed("dvc", "exp", "show", "--json").output)
    shown = {"main": commit} | {experiment["name"]: experiment["revs"][0] for experiment in commit["experiments"]}
    trained = {name: [stage for stage in stages if stage.startswith("train-")] for name, stages in ran.items()}
    return Experiments(project, shown, trained)


@pytest.fixture
def project(compared: Experiments, tmp_path: Path) -> Project:
    """A copy of the project for tests that change it."""
    return compared.project.copy(tmp_path / "project")


def wait_for_queue(project: Project) -> None:
    """Wait until every queued experiment has succeeded."""
    end = time.monotonic() + QUEUE_SECONDS
    while re.search(r"\b(Queued|Running)\b", status := project.succeed("dvc", "queue", "status").output):
        assert time.monotonic() < end, f"the queue is not finished after {QUEUE_SECONDS} s:\n{status}"
        time.sleep(2)
    assert "Failed" not in status, status


def params(state: dict[str, Any]) -> dict[str, Any]:
    return state["data"]["params"]["params.yaml"]["data"]


def accuracies(state: dict[str, Any]) -> dict[str, float]:
    return state["data"]["metrics"]["reports/summary.json"]["data"]


def lock(project: Project, revision: str) -> dict[str, Any]:
    text = project.succeed("git", "show", f"{revision}:dvc.lock").output
    return YAML(typ="safe").load(text)["stages"]


def test_every_experiment_is_listed_with_its_parameters(compared: Experiments) -> None:
    changed = {
        name: differences(params(compared.shown["main"]), params(state)) for name, state in compared.shown.items()
    }
    assert changed == {
        "main": [],
        "epochs-1": ["nets.dense.epochs=1"],
        "epochs-2": ["nets.dense.epochs=2"],
        "added": [f"+nets.wide={WIDE}"],
        "removed": ["~nets.convolution"],
        "units": ["nets.dense.layers.hidden.units=6"],
    }


def test_every_experiment_is_listed_with_the_accuracies_of_its_own_models(compared: Experiments) -> None:
    before = accuracies(compared.shown["main"])
    assert set(before) == {*BASELINES, *NETS}
    for name, state in compared.shown.items():
        after = accuracies(state)
        added, removed = {"added": {"wide"}}.get(name, set()), {"removed": {"convolution"}}.get(name, set())
        assert set(after) == (set(before) | added) - removed
        assert {model for model in before if model in after and after[model] != before[model]} <= {"dense"}
        for model, accuracy in after.items():
            metrics = state["data"]["metrics"][f"reports/metrics/{model}.json"]["data"]
            assert metrics["validation_accuracy"] == accuracy
    assert len({accuracies(compared.shown[name])["dense"] for name in ("main", "epochs-1", "units")}) > 1


def test_only_the_net_that_was_changed_is_trained(compared: Experiments) -> None:
    changed = {
        "epochs-1": ["train-nets@dense"],
        "epochs-2": ["train-nets@dense"],
        "added": ["train-nets@wide"],
        "removed": [],
        "units": ["train-nets@dense"],
    }
    assert compared.trained == changed
    before = lock(compared.project, compared.shown["main"]["rev"])
    for name, stages in changed.items():
        after = lock(compared.project, compared.shown[name]["rev"])
        assert [stage for stage in after if stage.startswith("train-") and after[stage] != before.get(stage)] == stages


def test_the_workspace_contains_the_experiment_that_ran_in_it_and_is_up_to_date(compared: Experiments) -> None:
    assert json.loads(compared.project.read("reports/summary.json")) == accuracies(compared.shown["units"])
    assert "up to date" in compared.project.succeed("dvc", "status").output


def test_an_experiment_is_applied_to_the_workspace_without_running_stages(
    compared: Experiments, project: Project
) -> None:
    project.succeed("git", "checkout", "--quiet", ".")
    project.succeed("dvc", "exp", "apply", "added")
    assert json.loads(project.read("reports/summary.json")) == accuracies(compared.shown["added"])
    assert (project.folder / "models/nets/wide.keras").is_file()
    assert project.repro() == []
    project.succeed("dvc", "exp", "branch", "epochs-2", "two-epochs")
    assert "two-epochs" in project.succeed("git", "branch").output
    project.succeed("dvc", "exp", "remove", "epochs-1", "removed")
    remaining = project.succeed("dvc", "exp", "list", "--name-only").output.split()
    assert sorted(remaining) == ["added", "epochs-2", "units"]


def test_two_commits_are_compared_by_metrics_parameters_and_plots(project: Project) -> None:
    project.commit()
    between = ("HEAD~1", "HEAD", "--json")
    changed = json.loads(project.succeed("dvc", "params", "diff", *between).output)
    assert changed == {"params.yaml": {"nets.dense.layers.hidden.units": {"old": 8, "new": 6, "diff": -2}}}

    metrics = json.loads(project.succeed("dvc", "metrics", "diff", *between).output)
    files = {file for file in metrics if file.startswith("reports/metrics/")}
    assert files == {"reports/metrics/dense.json"}
    # The times of stages differ in every run, and are shown apart.
    assert not [file for file in metrics if "timings" in file]
    times = json.loads(project.succeed("dvc", "metrics", "show", "--json", "reports/timings").output)
    assert times[""]["data"]["reports/timings/train-nets@dense.json"]["data"]["seconds"] > 0
    parameters = metrics["reports/metrics/dense.json"]["parameters"]
    assert parameters["diff"] == parameters["new"] - parameters["old"] < 0

    plots = json.loads(project.succeed("dvc", "plots", "diff", *between).output)
    assert "errors" not in plots
    [curves] = plots["data"]["reports/history/dense.csv"]
    assert {point["rev"] for point in curves["content"]["data"]["values"]} == {"HEAD~1", "HEAD"}
    [confusion] = plots["data"]["reports/confusion/dense.csv"]
    assert confusion["revisions"] == ["HEAD~1", "HEAD"]
    pictures = plots["data"]["reports/pictures/models/dense/weights.hidden.png"]
    assert [picture["revisions"] for picture in pictures] == [["HEAD~1"], ["HEAD"]]
    before, after = (Path(picture["url"]).read_bytes() for picture in pictures)
    assert before != after


def test_experiments_are_compared_by_accuracies_and_settings(
    compared: Experiments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # tools/ is not part of the small project
    monkeypatch.setenv("COLUMNS", "120")
    output = compared.project.succeed("python", "-m", "tools.experiments").output
    heading, lines = output.split("\n", 1)
    assert heading.startswith("validation accuracy")
    accuracy_lines, settings = (part.splitlines() for part in lines.strip("\n").split("\n\n"))
    assert max(map(len, accuracy_lines + settings)) <= 120
    models, *cells = (line.split() for line in accuracy_lines)
    assert set(models) == {*BASELINES, *NETS, "wide"}
    shown = {name: dict(zip(models, row, strict=True)) for name, *row in cells}
    assert set(shown) == {"workspace", *compared.shown}
    for name, state in compared.shown.items():
        expected = {model: f"{accuracy:.4f}" for model, accuracy in accuracies(state).items()}
        assert {model: cell.lstrip("*") for model, cell in shown[name].items() if cell not in ("-", "*-")} == expected
    assert {tuple(line.split(maxsplit=1)) for line in settings} >= {
        ("workspace", "nets.dense.layers.hidden.units=6"),
        ("units", "nets.dense.layers.hidden.units=6"),
        ("epochs-1", "nets.dense.epochs=1"),
        ("removed", "~nets.convolution"),
    }
