"""Several runs of DVC at once: each finishes, waits, or reports that another is running; no file is damaged."""

import random
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.process.console import progress
from tests.campaigns.kill import SEED, differences, files
from tests.fixtures.small_project import BASELINES, NETS, Project, Ran, prepare, small, smallest, stages_run

TRAIN = [f"train-baselines@{name}" for name in BASELINES] + [f"train-nets@{name}" for name in NETS]
# Messages of DVC if it does not wait: another run has locked a file, or the repository.
BUSY = ("is busy, it is being blocked by", "Unable to acquire lock")
MAX_DELAY = 8.0  # seconds between the starts of two runs


def campaign(n: int) -> dict[str, Any]:
    """Start two `dvc repro` at once n times, and all training stages at once for every five of them.

    Parameters
    ----------
    n : int
        Number of pairs.

    Returns
    -------
    dict
        Counts, and `went_wrong`, a list of str.
    """
    counts: Counter[str] = Counter(pairs=0, both_finished=0, one_said_busy=0, side_by_side=0, same_result=0)
    wrong: list[str] = []
    chance = random.Random(SEED)
    sets = max(1, n // 5)
    with (
        tempfile.TemporaryDirectory(prefix="concurrency-") as folder,
        progress("concurrency", n + sets, "trials") as advance,
    ):

        def count(kind: str, trial: str, faults: list[str]) -> None:
            counts[kind] += 1
            counts["same_result"] += not faults
            wrong.extend(f"{trial}: {fault}" for fault in faults)
            advance(1)

        fresh = prepare(Path(folder) / "fresh", smallest)
        expected = finished(fresh, Path(folder) / "fresh-finished")
        for number in range(n):
            project = fresh.copy(Path(folder) / f"pair-{number}")
            ran, faults = pair(project, expected, chance.random() * MAX_DELAY)
            counts["both_finished" if all(run.code == 0 for run in ran) else "one_said_busy"] += 1
            count("pairs", f"two runs, {number}", faults)
        ready = prepare(Path(folder) / "ready", small)
        expected = finished(ready, Path(folder) / "ready-finished")
        ready.repro("check-models")
        for number in range(sets):
            faults = side_by_side(ready.copy(Path(folder) / f"set-{number}"), expected)
            count("side_by_side", f"side by side, {number}", faults)
    return {**counts, "went_wrong": wrong}


def finished(project: Project, folder: Path) -> Project:
    """Run a copy of a project undisturbed."""
    copy = project.copy(folder)
    copy.repro()
    return copy


def pair(project: Project, expected: Project, delay: float) -> tuple[list[Ran], list[str]]:
    """Start two `dvc repro`, the second after some seconds, then run it once more; return both and what went wrong."""
    first = project.start("dvc", "repro")
    time.sleep(delay)
    ran = [_ended(process) for process in (first, project.start("dvc", "repro"))]
    faults = [
        f"dvc repro fails: {run.output.strip()[-300:]}"
        for run in ran
        if run.code and not any(message in run.output for message in BUSY)
    ]
    if all(run.code for run in ran):
        faults.append("neither run finishes")
    last = project.run("dvc", "repro")
    if last.code:
        faults.append(f"the last dvc repro fails: {last.output.strip()[-300:]}")
    return ran, faults + differences(files(expected), files(project))


def side_by_side(project: Project, expected: Project) -> list[str]:
    """Train all models at once, each in a DVC of its own, then run the remaining stages; return what went wrong."""
    processes = [project.start("dvc", "--wait-for-lock", "repro", "--single-item", stage) for stage in TRAIN]
    ran = [_ended(process) for process in processes]
    faults = [f"{stage} fails: {run.output.strip()[-300:]}" for stage, run in zip(TRAIN, ran, strict=True) if run.code]
    last = project.run("dvc", "repro")
    if last.code or any(stage.startswith("train-") for stage in last.stages):
        faults.append(f"the last dvc repro runs {', '.join(last.stages)}: {last.output.strip()[-300:]}")
    found = files(project)
    # The order of the entries is that in which the stages ended.
    yaml = YAML(typ="safe")
    if yaml.load(project.lock) != yaml.load(expected.lock):
        faults.append("dvc.lock differs")
    return faults + differences({**files(expected), "dvc.lock": found["dvc.lock"]}, found)


def _ended(process: subprocess.Popen[str]) -> Ran:
    with process:
        output, _ = process.communicate()
    return Ran(process.returncode, output, stages_run(output))
