"""Several runs of DVC at once: each does its work, waits, or says that it cannot; no file is damaged."""

import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.process.console import progress
from tests.campaigns.kill import SEED, differences, files
from tests.fixtures.small_project import BASELINES, NETS, Project, Ran, prepare, small, smallest, stages_run

TRAIN = [f"train-baselines@{name}" for name in BASELINES] + [f"train-nets@{name}" for name in NETS]
# What DVC says if it does not wait: a file that another run reads or writes, or the repository, is locked.
SAID = ("is busy, it is being blocked by", "Unable to acquire lock")
BETWEEN = 8.0  # seconds at most from the one start to the other


def campaign(n: int) -> dict[str, Any]:
    """Start two `dvc repro` at once n times, and every training stage side by side once for each five of them.

    Parameters
    ----------
    n : int
        How often.

    Returns
    -------
    dict
        How often each thing was done and how it ended; `went_wrong`, texts.
    """
    counts = {"pairs": 0, "both_finished": 0, "one_said_busy": 0, "side_by_side": 0, "same_result": 0}
    wrong = []
    chance = random.Random(SEED)
    sets = max(1, n // 5)
    with (
        tempfile.TemporaryDirectory(prefix="concurrency-") as folder,
        progress("concurrency", n + sets, "trials") as on,
    ):
        fresh = prepare(Path(folder) / "fresh", smallest)
        expected = finished(fresh, Path(folder) / "fresh-finished")
        for number in range(n):
            project = fresh.copy(Path(folder) / f"pair-{number}")
            ran, faults = pair(project, expected, chance.random() * BETWEEN)
            counts["pairs"] += 1
            counts["both_finished" if all(run.code == 0 for run in ran) else "one_said_busy"] += 1
            counts["same_result"] += not faults
            wrong += [f"two runs, {number}: {fault}" for fault in faults]
            on(1)
        ready = prepare(Path(folder) / "ready", small)
        expected = finished(ready, Path(folder) / "ready-finished")
        ready.repro("check-models")
        for number in range(sets):
            faults = side_by_side(ready.copy(Path(folder) / f"set-{number}"), expected)
            counts["side_by_side"] += 1
            counts["same_result"] += not faults
            wrong += [f"side by side, {number}: {fault}" for fault in faults]
            on(1)
    return {**counts, "went_wrong": wrong}


def finished(project: Project, folder: Path) -> Project:
    """Run a copy of a project undisturbed."""
    copy = project.copy(folder)
    copy.repro()
    return copy


def pair(project: Project, expected: Project, later: float) -> tuple[list[Ran], list[str]]:
    """Start `dvc repro` twice, the second some seconds later, then once more; return both and what is wrong."""
    first = project.start("dvc", "repro")
    time.sleep(later)
    ran = _ended([first, project.start("dvc", "repro")])
    faults = [
        f"dvc repro fails: {run.output.strip()[-300:]}"
        for run in ran
        if run.code and not any(said in run.output for said in SAID)
    ]
    if all(run.code for run in ran):
        faults.append("neither run went on")
    last = project.run("dvc", "repro")
    if last.code:
        faults.append(f"the dvc repro afterwards fails: {last.output.strip()[-300:]}")
    return ran, faults + differences(files(expected), files(project))


def side_by_side(project: Project, expected: Project) -> list[str]:
    """Train all models at once, each by a DVC of its own, then run what is left; return what is wrong."""
    ran = _ended([project.start("dvc", "--wait-for-lock", "repro", "--single-item", stage) for stage in TRAIN])
    faults = [f"{stage} fails: {run.output.strip()[-300:]}" for stage, run in zip(TRAIN, ran, strict=True) if run.code]
    after = project.run("dvc", "repro")
    if after.code or any(stage.startswith("train-") for stage in after.stages):
        faults.append(f"the dvc repro afterwards runs {', '.join(after.stages)}: {after.output.strip()[-300:]}")
    found = files(project)
    # Entries stand in the order in which their stages ended; what they say is the same.
    yaml = YAML(typ="safe")
    if yaml.load(project.lock) != yaml.load(expected.lock):
        faults.append("dvc.lock differs")
    return faults + differences({**files(expected), "dvc.lock": found["dvc.lock"]}, found)


def _ended(processes: list[subprocess.Popen[str]]) -> list[Ran]:
    ran = []
    for process in processes:
        with process:
            output, _ = process.communicate()
        ran.append(Ran(process.returncode, output, stages_run(output)))
    return ran
