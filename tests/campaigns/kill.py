"""Kills at random moments of a small pipeline: one `dvc repro` afterwards gives the results of an undisturbed run."""

import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from stages.shared.files.paths import TIMINGS
from stages.shared.process.console import progress
from tests.fixtures.small_project import Project, prepare, smallest

SEED = 2024
PARALLEL = 2  # trials at once
TIMEOUT = 900.0  # seconds for one run of the small pipeline, on a busy machine
ATTEMPTS = 5  # per trial, each earlier in the run, until the signal arrives before the end of the run
STATES = ("nothing computed", "a seed changed", "results in the cache alone")
MOMENTS = ("any", "a stage's first second", "while DVC saves", "while dvc.lock is written")
# Receivers: the process of the stage, of DVC, or their process group, as for Ctrl-C and a closed terminal.
KILLS = (("stage", signal.SIGKILL), ("dvc", signal.SIGKILL), ("group", signal.SIGKILL))
SIGNALS = (("group", signal.SIGINT), ("dvc", signal.SIGTERM), ("group", signal.SIGTERM), ("stage", signal.SIGTERM))

Files = dict[str, str]  # path -> SHA-256


class Start(NamedTuple):
    """A state from which runs start, and an undisturbed run from it.

    Attributes
    ----------
    project : Project
        Each trial runs in a copy of it.
    seconds : float
        Duration of the undisturbed run.
    stages : list of str
        Stages that the undisturbed run ran.
    files : dict of str to str
        Files after the undisturbed run.
    """

    project: Project
    seconds: float
    stages: list[str]
    files: Files


class Trial(NamedTuple):
    """A signal to send: `share` (0-1) is the time within its moment."""

    state: str
    moment: str
    receiver: str
    signal: signal.Signals
    stage: str
    share: float

    def __str__(self) -> str:
        moment = self.moment if self.moment == "any" else f"{self.moment}, {self.stage}"
        return f"{self.signal.name} to the {self.receiver}, {self.state}, moment: {moment}, at {self.share:.3f} of it"


class Outcome(NamedTuple):
    """Outcome of a trial: the processes hit (None if the run was over), the remedies needed, and what went wrong."""

    hit: str | None
    remedies: list[str]
    faults: list[str]


def campaign(n: int) -> dict[str, Any]:
    """Interrupt n runs with SIGKILL, and a sixth as many with SIGINT or SIGTERM.

    Parameters
    ----------
    n : int
        Number of kills.

    Returns
    -------
    dict
        Counts of trials and outcomes, and `went_wrong`, a list of str.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job; processes inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        starts = starting_states(Path(folder))
        trials = planned(n, starts)
        with ThreadPoolExecutor(PARALLEL) as pool, progress("kill", len(trials), "trials") as advance:

            def run(numbered: tuple[int, Trial]) -> list[tuple[Trial, Outcome]]:
                number, trial = numbered
                attempts: list[tuple[Trial, Outcome]] = []
                while len(attempts) < ATTEMPTS and (not attempts or attempts[-1][1].hit is None):
                    trial = earlier(trial) if attempts else trial
                    copy = starts[trial.state].project.copy(Path(folder) / f"trial-{number}-{len(attempts)}")
                    attempts.append((trial, attempt(trial, starts[trial.state], copy)))
                advance(1)
                return attempts

            done = list(pool.map(run, enumerate(trials)))
    return counted([attempts[-1] for attempts in done], sum(map(len, done)) - len(done))


def starting_states(folder: Path) -> dict[str, Start]:
    """Make a project in each state, and run a copy of it undisturbed."""
    cold = prepare(folder / "cold", smallest)
    starts = {STATES[0]: _undisturbed(cold, folder / "cold-finished")}
    finished = Project(folder / "cold-finished")
    finished.commit()
    edited = finished.copy(folder / "edited")
    edited.edit(lambda params: params["training"].update(seed=43))
    starts[STATES[1]] = _undisturbed(edited, folder / "edited-finished")
    cached = finished.copy(folder / "cached")
    cached.succeed("rm", "-r", "data/raw", "data/split", "data/checks", "models", "reports/metrics")
    starts[STATES[2]] = _undisturbed(cached, folder / "cached-finished")
    return starts


def _undisturbed(project: Project, folder: Path) -> Start:
    finished = project.copy(folder)
    start = time.monotonic()
    stages = finished.repro()
    return Start(project, time.monotonic() - start, stages, files(finished))


def planned(n: int, starts: dict[str, Start]) -> list[Trial]:
    """Draw n kills and a sixth as many other signals, spread over states and moments."""
    chance = random.Random(SEED)
    receivers = [KILLS[number % len(KILLS)] for number in range(n)]
    receivers += [SIGNALS[number % len(SIGNALS)] for number in range(-(-n // 6))]
    trials = []
    for number, (receiver, sent) in enumerate(receivers):
        state = STATES[(0, 1, 0, 1, 0, 1, 2)[number % 7]]  # few from the cache: nothing is trained then
        stages = starts[state].stages
        moment = chance.choice(MOMENTS[:2] if receiver == "stage" else MOMENTS)
        stage = chance.choice(stages) if stages else ""
        trials.append(Trial(state, moment if stages else "any", receiver, sent, stage, chance.random()))
    return trials


def earlier(trial: Trial) -> Trial:
    """Return the trial to do after one whose signal came after the end of the run."""
    # If the size of dvc.lock does not change, its writing cannot be noticed.
    moment = MOMENTS[2] if trial.moment == MOMENTS[3] else trial.moment
    return trial._replace(moment=moment, share=trial.share / 2)


def attempt(trial: Trial, start: Start, project: Project) -> Outcome:
    """Interrupt one run of a project, run it again, and compare the files with those of an undisturbed run."""
    faults: list[str] = []
    hit, remedies = None, list[str]()
    log = project.folder.with_suffix(".log")
    try:
        with log.open("w") as output, _process(project, output) as process:
            hit = _send(process, trial, start.seconds, project.folder / "dvc.lock", log)
            code = process.wait(TIMEOUT)
            if trial.signal != signal.SIGKILL and "Traceback" in log.read_text():
                faults.append("a traceback")
            if code == 0 and hit is not None:
                faults.append("dvc exits with 0")
            # The rest of the first run's process group lives on during the second run, as it would for a user.
            code, message, remedies = _run_again(project)
            if code:
                faults.append(f"dvc repro fails: {message[-300:]}")
    except subprocess.TimeoutExpired:
        faults.append(f"a run does not end within {TIMEOUT:.0f} seconds")
    faults += differences(start.files, files(project))
    status = project.run("dvc", "status")
    if "up to date" not in status.output:
        faults.append(f"dvc status: {' '.join(status.output.split())[:300]}")
    if not faults:
        project.run("rm", "-rf", str(project.folder))
    return Outcome(hit, remedies, faults)


@contextmanager
def _process(project: Project, output: Any = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Run `dvc repro` in a process group of its own, which is killed at the end."""
    process = project.start("dvc", "repro", output=output, own_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _send(process: subprocess.Popen[str], trial: Trial, seconds: float, lock: Path, log: Path) -> str | None:
    """Wait for the moment of a trial, send the signal, and return the processes that it hit."""
    if trial.moment == MOMENTS[0]:
        _wait(process, trial.share * seconds)
    else:
        _wait(process, TIMEOUT, lambda: f"Running stage '{trial.stage}':" in log.read_text())
    if trial.moment == MOMENTS[1]:
        _wait(process, trial.share)
    elif trial.moment in MOMENTS[2:]:
        _wait(process, 1.0, lambda: _stage_of(process) is not None)
        size = _size(lock)
        _wait(process, TIMEOUT, lambda: _stage_of(process) is None)
        if trial.moment == MOMENTS[2]:
            _wait(process, trial.share * 0.3)
        else:
            # DVC truncates the file and writes it again within microseconds.
            _wait(process, 2.0, lambda: _size(lock) != size, pause=0)
    if process.poll() is not None:
        return None
    stage = _stage_of(process)
    if trial.receiver == "stage" and stage is not None:
        stage.send_signal(trial.signal)
        return "the stage"
    if trial.receiver == "group":
        os.killpg(process.pid, trial.signal)
        return "dvc and the stage" if stage else "dvc"
    process.send_signal(trial.signal)
    return "dvc, while a stage runs" if stage else "dvc"


def _wait(
    process: subprocess.Popen[str], seconds: float, reached: Callable[[], bool] = lambda: False, pause: float = 0.005
) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None and not reached():
        time.sleep(pause)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _stage_of(process: subprocess.Popen[str]) -> psutil.Process | None:
    """Return the process of the running stage; DVC also starts git."""
    with suppress(psutil.Error):
        for child in psutil.Process(process.pid).children():
            with suppress(psutil.Error):
                if any("stages." in part for part in child.cmdline()):
                    return child
    return None


def _run_again(project: Project) -> tuple[int, str, list[str]]:
    """Run `dvc repro`, with at most two of the remedies that it asks for; return exit code, output and remedies."""
    remedies: list[str] = []
    while True:
        with _process(project) as process:
            output, _ = process.communicate(timeout=TIMEOUT)
        done = remedy(project, output) if process.returncode and len(remedies) < 2 else None
        if done is None:
            return process.returncode, output.strip(), remedies
        remedies.append(done)


def remedy(project: Project, message: str) -> str | None:
    """Do what DVC's error message asks for, or restore a truncated dvc.lock; return the command."""
    if "RWLock-file" in message:
        (project.folder / ".dvc/tmp/rwlock").unlink()
        return "rm .dvc/tmp/rwlock"
    if "dvc.lock" in message and any(text in message for text in ("unable to read", "validation failed", "is invalid")):
        if project.run("git", "ls-files", "--error-unmatch", "dvc.lock").code == 0:
            project.succeed("git", "checkout", "dvc.lock")
            return "git checkout dvc.lock"
        (project.folder / "dvc.lock").unlink()
        return "rm dvc.lock"
    return None


def files(project: Project) -> Files:
    """Hash dvc.lock and all files in the folders to which stages write, except timings."""
    paths = [project.folder / "dvc.lock"]
    for name in ("data", "models", "reports"):
        paths += (project.folder / name).rglob("*")
    return {
        path.relative_to(project.folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file() and not path.is_relative_to(project.folder / TIMINGS.folder)
    }


def differences(expected: Files, found: Files) -> list[str]:
    """List the files that are missing, left over, or different."""
    return [
        f"{path} {'is missing' if path not in found else 'is left over' if path not in expected else 'differs'}"
        for path in sorted(expected.keys() | found.keys())
        if expected.get(path) != found.get(path)
    ]


def counted(done: list[tuple[Trial, Outcome]], repeated: int) -> dict[str, Any]:
    """Count trials and outcomes.

    Parameters
    ----------
    done : list of (Trial, Outcome)
        The last attempt of each trial.
    repeated : int
        Number of attempts before, whose signals came after the end of the run.
    """
    hits = [(trial, outcome) for trial, outcome in done if outcome.hit or outcome.faults]
    kills = sum(trial.signal == signal.SIGKILL for trial, _ in hits)
    return {
        "kills": kills,
        "other_signals": len(hits) - kills,
        "same_result": sum(not outcome.faults for _, outcome in hits),
        "hit": dict(Counter(outcome.hit or "nothing" for _, outcome in hits)),
        "state": dict(Counter(trial.state for trial, _ in hits)),
        "moment": dict(Counter(trial.moment for trial, _ in hits)),
        "remedies": dict(Counter(command for _, outcome in hits for command in outcome.remedies)),
        "too_late_and_repeated": repeated,
        "went_wrong": [
            *(f"{trial}: {'; '.join(outcome.faults)}" for trial, outcome in hits if outcome.faults),
            *(f"{trial}: too late {ATTEMPTS} times" for trial, outcome in done if not (outcome.hit or outcome.faults)),
        ],
    }
