"""Ctrl-C and SIGTERM at random moments of every stage of a small pipeline: it ends at once, and no file changes."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from stages.shared.files.whole_files import UNFINISHED
from stages.shared.process.console import progress
from tests.campaigns.kill import differences, files
from tests.fixtures.small_project import Project, make

SEED = 2025
PROMPT = 2.0  # seconds within which a stage must end
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
    "plot_weights dense",
    "plot_weights linear",
    "report",
)


def campaign(trials: int) -> dict[str, Any]:
    """Send a signal to a stage at a random moment.

    Parameters
    ----------
    trials : int
        Number of signals.

    Returns
    -------
    dict
        Counts: trials, interrupts, terminations, ended (by the signal), finished_before; slowest, in seconds; and
        `went_wrong`, a list of str.
    """
    chance = random.Random(SEED)
    counts: dict[str, Any] = {"trials": 0, "interrupts": 0, "terminations": 0, "ended": 0, "finished_before": 0}
    slowest, wrong = 0.0, list[str]()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; stages inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="signals-") as folder, progress("signals", trials, "trials") as advance:
        project = make(Path(folder) / "project")
        expected = files(project)
        usual = {stage: run_whole(stage, project) for stage in STAGES}
        for number in range(trials):
            stage = STAGES[number % len(STAGES)]
            sent = (signal.SIGINT, signal.SIGTERM)[(number // len(STAGES) + number) % 2]
            delay = chance.uniform(0.1, max(0.2, usual[stage]))
            seconds, faults = interrupt(stage, sent, delay, project)
            # The next write to a folder removes unfinished files.
            complete = {path: content for path, content in files(project).items() if UNFINISHED not in path}
            faults += differences(expected, complete)
            counts["trials"] += 1
            counts["interrupts" if sent == signal.SIGINT else "terminations"] += 1
            counts["finished_before" if seconds is None else "ended"] += 1
            slowest = max(slowest, seconds or 0.0)
            wrong += [f"{sent.name} to {stage} after {delay:.2f} s: {fault}" for fault in faults]
            advance(1)
        for stage in STAGES:
            run_whole(stage, project)
        wrong += [f"after a run of all stages: {fault}" for fault in differences(expected, files(project))]
    return {**counts, "slowest": round(slowest, 2), "went_wrong": wrong}


def interrupt(stage: str, sent: signal.Signals, delay: float, project: Project) -> tuple[float | None, list[str]]:
    """Start a stage and send it a signal after some seconds, SIGINT to its process group as from a terminal.

    Returns
    -------
    seconds : float or None
        Until the stage ended; None if it had finished before.
    faults : list of str
        What went wrong.
    """
    process = start(stage, project)
    try:
        _, message = process.communicate(timeout=delay)
        return None, [] if process.returncode == 0 else [f"fails: {message[-300:]}"]
    except subprocess.TimeoutExpired:
        children = psutil.Process(process.pid).children(recursive=True)
    began = time.monotonic()
    (os.killpg if sent == signal.SIGINT else os.kill)(process.pid, sent)
    _, message = process.communicate()
    seconds = time.monotonic() - began
    alive = psutil.wait_procs(children, timeout=PROMPT)[1]
    if process.returncode == 0:  # in its last moment
        return None, []
    faults = {
        f"exit code {process.returncode}": process.returncode != -sent,
        f"ends after {seconds:.1f} s": seconds > PROMPT,
        f"prints {message[-300:]!r}": bool(message),
        f"{len(alive)} of its processes live on": bool(alive),
    }
    return seconds, [fault for fault, present in faults.items() if present]


def start(stage: str, project: Project) -> subprocess.Popen[str]:
    """Start a stage in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *f"stages.{stage}".split()],
        cwd=project.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_whole(stage: str, project: Project) -> float:
    """Run a stage to its end; return the seconds it takes."""
    began = time.monotonic()
    _, message = start(stage, project).communicate()
    if message:
        raise RuntimeError(f"{stage}: {message}")
    return time.monotonic() - began
