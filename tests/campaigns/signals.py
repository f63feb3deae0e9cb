"""Ctrl-C and SIGTERM at random moments of every stage of a small pipeline: it ends promptly, cleanly, in a sentence."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from stages.shared.process.console import progress
from tests.campaigns.kill import differences, files
from tests.fixtures.small_project import Project, make

SEED = 2025
PROMPT = 2.0  # seconds that an end may take
STAGES = (
    "check_params",
    "fetch",
    "normalise_and_split",
    "check_models",
    "train_baselines linear",
    "train_baselines neighbours",
    "train_nets dense",
    "train_nets convolution",
    "evaluate",
    "plot_weights",
    "report",
)


class Ended(NamedTuple):
    """How a stage ended after a signal: before it could be sent, or in how many seconds; what is wrong with it."""

    finished: bool
    seconds: float
    faults: list[str]


def campaign(trials: int) -> dict[str, Any]:
    """Interrupt a stage at a random moment, so many times.

    Parameters
    ----------
    trials : int
        How often.

    Returns
    -------
    dict
        trials, interrupts, terminations; ended (cleanly), finished_before; slowest, in seconds; `went_wrong`, texts.
    """
    chance = random.Random(SEED)
    counts: dict[str, Any] = {"trials": 0, "interrupts": 0, "terminations": 0, "ended": 0, "finished_before": 0}
    slowest, wrong = 0.0, []
    # What was started in the background ignores Ctrl-C, and so would what it starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory(prefix="signals-") as folder, progress("signals", trials, "trials") as advance:
            project = make(Path(folder) / "project")
            expected = files(project)
            usual = {stage: seconds_of(stage, project) for stage in STAGES[: trials or None]}
            for number in range(trials):
                stage = STAGES[number % len(STAGES)]
                sent = (signal.SIGINT, signal.SIGTERM)[(number // len(STAGES) + number) % 2]
                after = chance.uniform(0.1, max(0.2, usual[stage]))
                ended = interrupted(stage, sent, after, project)
                faults = [*ended.faults, *differences(expected, files(project))]
                counts["trials"] += 1
                counts["interrupts" if sent == signal.SIGINT else "terminations"] += 1
                counts["finished_before"] += ended.finished
                counts["ended"] += not ended.finished and not faults
                slowest = max(slowest, ended.seconds)
                wrong += [f"{sent.name} to {stage} after {after:.2f} s: {fault}" for fault in faults]
                advance(1)
    finally:
        signal.signal(signal.SIGINT, before)
    return {**counts, "slowest": round(slowest, 2), "went_wrong": wrong}


def interrupted(stage: str, sent: signal.Signals, after: float, project: Project) -> Ended:
    """Start a stage, send it a signal (Ctrl-C to its whole group, as a terminal does) some seconds later, and look."""
    process = started(stage, project)
    try:
        _, said = process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        pass
    else:
        return Ended(True, 0.0, [] if process.returncode == 0 else [f"fails: {said[-300:]}"])
    family = psutil.Process(process.pid).children(recursive=True)
    began = time.monotonic()
    (os.killpg if sent == signal.SIGINT else os.kill)(process.pid, sent)
    _, said = process.communicate()
    seconds = time.monotonic() - began
    alive = psutil.wait_procs(family, timeout=PROMPT)[1]
    if process.returncode == 0:
        return Ended(True, seconds, [])  # its last moment
    faults = []
    if process.returncode != 128 + sent:
        faults.append(f"exit code {process.returncode}")
    if seconds > PROMPT:
        faults.append(f"took {seconds:.1f} s to end")
    if said.count("\n") != 1 or "Traceback" in said:
        faults.append(f"said {said[-300:]!r}")
    if alive:
        faults.append(f"{len(alive)} of its processes live on")
    return Ended(False, seconds, faults)


def started(stage: str, project: Project) -> subprocess.Popen[str]:
    """Start a stage of the project in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *f"stages.{stage}".split()],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def seconds_of(stage: str, project: Project) -> float:
    """Run a stage to its end and return how long that took."""
    began = time.monotonic()
    _, said = started(stage, project).communicate()
    if said:
        raise RuntimeError(f"{stage}: {said}")
    return time.monotonic() - began
