"""The stages of the studies in a small project: results, new levels, interruptions."""

import copy
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML

from tests.fixtures.small_project import ROOT, Project
from tests.fixtures.studies import STUDY, UNITS, with_studies, write_study

MEASURES = ("train_accuracy", "validation_accuracy", "test_accuracy", "validation_loss")
RUNS = ("studies/dvc.yaml:units@1", "studies/dvc.yaml:units@2")


@pytest.fixture(scope="module")
def done(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project with a study that has run."""
    project = finished.copy(tmp_path_factory.mktemp("studies") / "project")
    with_studies(project)
    assert sorted(project.repro(*RUNS)) == ["studies/dvc.yaml:plan", *RUNS]
    project.commit()
    return project


@pytest.fixture
def project(done: Project, tmp_path: Path) -> Project:
    return done.copy(tmp_path / "project")


def table(project: Project, seed: int) -> pd.DataFrame:
    return pd.read_csv(project.folder / f"studies/results/units/{seed}.csv")


def new(output: str) -> dict[int, int]:
    """Return the numbers of new trainings by seed."""
    return {int(seed): int(n) for seed, n in re.findall(r"seed (\d+): \d+ trainings, (\d+) of them new", output)}


def lock(project: Project) -> Any:
    """Return the content of studies/dvc.lock, in which the order of the stages is that in which they ran."""
    return YAML(typ="safe").load(project.read("studies/dvc.lock"))


def test_a_row_per_training(done: Project) -> None:
    for seed in (1, 2):
        found = table(done, seed)
        assert list(found) == [UNITS, "rows", "model", "seed", "parameters", "epochs", *MEASURES, "key"]
        assert [*zip(found[UNITS], found["rows"], strict=True)] == [(2, 20), (2, 60), (4, 20), (4, 60)]
        assert set(found["seed"]) == {seed} and found["key"].is_unique
        assert (found["parameters"] == 144 * found[UNITS] + found[UNITS] + 4 * found[UNITS] + 4).all()


def test_nothing_runs_twice(project: Project) -> None:
    assert project.repro(*RUNS) == []
    assert project.repro("--force", "--single-item", *RUNS)
    assert project.succeed("git", "status", "--short", ".", ":!reports/timings").output == ""


@pytest.mark.slow
def test_a_new_level_trains_what_is_new(project: Project, tmp_path: Path) -> None:
    """And the results are those of a run that trains everything."""
    study = copy.deepcopy(STUDY)
    study["grids"][0]["vary"]["rows"] = [20, 40, 60]
    study["seeds"] = [1, 2, 3]
    fresh = project.copy(tmp_path / "fresh")
    stages = [*RUNS, "studies/dvc.yaml:units@3"]
    write_study(project, study)
    assert new(project.succeed("dvc", "repro", *stages).output) == {1: 2, 2: 2, 3: 6}
    write_study(fresh, study)
    shutil.rmtree(fresh.folder / "studies/results")
    assert new(fresh.succeed("dvc", "repro", *stages).output) == {1: 6, 2: 6, 3: 6}
    assert lock(fresh) == lock(project)


@pytest.mark.slow
def test_trainings_that_have_ended_are_kept_if_another_fails(project: Project) -> None:
    neighbours = "baselines.neighbours.n_neighbors"
    study = {
        **STUDY,
        "model": "neighbours",
        "seeds": [1],
        "grids": [{"vary": {neighbours: [5, 300], "rows": [20]}}],
        "claims": [],
        "figure": {"x": neighbours, "y": "validation_accuracy"},
        "classroom": {"rows": 20},
    }
    write_study(project, study)
    failed = project.run("dvc", "repro", RUNS[0])
    assert failed.code != 0 and new(failed.output) == {1: 2} and "KNeighborsClassifier" in failed.output
    study["grids"] = [{"vary": {neighbours: [5, 7], "rows": [20]}}]
    write_study(project, study)
    assert new(project.succeed("dvc", "repro", RUNS[0]).output) == {1: 1}


def test_an_edit_of_the_words_trains_nothing(project: Project) -> None:
    write_study(project, {**STUDY, "question": "How many units does it take?"})
    assert project.repro(*RUNS) == ["studies/dvc.yaml:plan"]


@pytest.mark.slow
def test_an_edit_of_the_model_trains_again(project: Project) -> None:
    project.edit(lambda params: params["nets"]["dense"].update(batch_size=16))
    output = project.succeed("dvc", "repro", *RUNS).output
    assert new(output) == {1: 4, 2: 4}


def test_a_killed_stage_runs_again(project: Project) -> None:
    expected = lock(project)
    (project.folder / "studies/results/units/2.csv").unlink()
    with project.start("dvc", "repro", "--single-item", RUNS[1], own_session=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "1 of 4" in line:
                break
        os.killpg(process.pid, signal.SIGKILL)
    assert not (project.folder / "studies/results/units/2.csv").exists()
    assert project.repro(*RUNS) == [RUNS[1]]
    assert lock(project) == expected


@pytest.mark.slow
def test_a_clone_has_the_results(project: Project, tmp_path: Path) -> None:
    """And no command of the main pipeline lacks a file of the studies."""
    project.succeed("dvc", "repro", "studies/dvc.yaml")
    project.commit()
    project.succeed("git", "clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.succeed("dvc", "cache", "dir", "--local", str(project.folder / ".dvc/cache"))
    clone.succeed("dvc", "checkout")
    assert clone.repro("studies/dvc.yaml") == []
    assert "up to date" in clone.succeed("dvc", "status").output
    assert clone.succeed("git", "status", "--short").output == ""


@pytest.mark.cluster
def test_stages_at_once_have_the_results_of_a_serial_run(project: Project) -> None:
    pytest.importorskip("distributed")
    expected = lock(project)
    for name in ("cluster", "tools"):
        shutil.copytree(ROOT / name, project.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(project.folder / "studies/results")
    output = project.succeed("python", "-m", "cluster", "--at-once", "2", *RUNS).output
    assert all(f"{stage}: started" in output for stage in RUNS)
    assert lock(project) == expected
    assert project.succeed("git", "status", "--short", "studies").output == ""


@pytest.mark.slow
def test_the_size_for_a_classroom_leaves_the_workspace_as_it_was(project: Project) -> None:
    shutil.copytree(ROOT / "tools", project.folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    project.commit()
    output = project.succeed("python", "-m", "studies.classroom", "--name", "units").output
    assert "units: 2 of 2: " in output and "study: undecided: More rows are better." in output
    page = re.search(r"its page: open (\S+)", output)
    assert page is not None and STUDY["question"] in project.read(page[1])
    assert project.succeed("git", "status", "--short").output == ""
    wrong = project.run("python", "-m", "studies.classroom", "--name", "unit")
    assert (
        wrong.code == 1 and wrong.output == "study: NAME: unknown study 'unit'; did you mean 'units'? allowed: units\n"
    )
