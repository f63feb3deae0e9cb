"""Kills at random moments of a small pipeline: afterwards one `dvc repro` gives what an undisturbed run gives."""

import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from stages.shared.files.paths import TIMINGS
from stages.shared.process.console import progress
from tests.fixtures.small_project import Project, prepare, smallest

SEED = 2024
AT_ONCE = 2
PATIENCE = 900.0  # seconds that a run of the small pipeline may take, on a machine that does other work too
STATES = ("nothing computed", "a seed changed", "results in the cache alone")
MOMENTS = ("any", "a stage's first second", "while DVC saves", "while dvc.lock is written")
# Who is sent what: the stage's process, DVC's, or both in their process group, as Ctrl-C and a closed terminal do.
KILLS = (("stage", signal.SIGKILL), ("dvc", signal.SIGKILL), ("group", signal.SIGKILL))
SIGNALS = (("group", signal.SIGINT), ("dvc", signal.SIGTERM), ("group", signal.SIGTERM), ("stage", signal.SIGTERM))
OVER = "nobody, the run was over"
TIMES = 5  # a trial is tried, each time sooner, where the run was over before its moment came

Files = dict[str, str]


class Start(NamedTuple):
    """A state that a run can start from, and how it ends undisturbed.

    Attributes
    ----------
    project : Project
        Copied for each trial.
    seconds : float
        That the undisturbed run took.
    stages : list of str
        That it ran.
    files : dict of str to str
        Path -> SHA-256 of all that it left.
    """

    project: Project
    seconds: float
    stages: list[str]
    files: Files


class Trial(NamedTuple):
    """What to do in one trial; `share` (0-1) says when within its moment."""

    state: str
    moment: str
    victim: str
    signal: signal.Signals
    stage: str
    share: float

    def __str__(self) -> str:
        where = f"{self.moment}, {self.stage}" if self.moment != "any" else "any moment"
        return f"{self.signal.name} to the {self.victim}, {self.state}, {where}, at {self.share:.3f} of it"


class Outcome(NamedTuple):
    """What one trial came to: who was hit, the cleaning that was needed, what is not as it should be."""

    hit: str
    cleaned: list[str]
    faults: list[str]

    @property
    def too_late(self) -> bool:
        """Say whether the run ended well before it could be hit, so that nothing was tried."""
        return self.hit == OVER and not self.faults


def campaign(n: int) -> dict[str, Any]:
    """Interrupt n runs with SIGKILL, and a sixth as many with SIGINT or SIGTERM.

    A trial whose moment came when its run was over is tried again, somewhat sooner: what is counted hit something.

    Parameters
    ----------
    n : int
        Number of kills.

    Returns
    -------
    dict
        trials; who was hit, in which state, at which moment (each a name -> count); outcomes; `went_wrong`, texts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what it runs in the background so, and every process from here on would inherit it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="kill-") as folder:
        starts = starting_states(Path(folder))
        trials = planned(n, starts)
        with ThreadPoolExecutor(AT_ONCE) as pool, progress("kill", len(trials), "trials") as advance:

            def run(numbered: tuple[int, Trial]) -> list[tuple[Trial, Outcome]]:
                number, trial = numbered
                tried = [(trial, attempt(trial, starts[trial.state], Path(folder) / f"trial-{number}"))]
                while tried[-1][1].too_late and len(tried) < TIMES:
                    trial = sooner(trial)
                    tried.append((trial, attempt(trial, starts[trial.state], Path(folder) / f"trial-{number}")))
                advance(1)
                return tried

            tried = list(pool.map(run, enumerate(trials)))
    return counted([attempts[-1] for attempts in tried], sum(map(len, tried)) - len(tried))


def starting_states(folder: Path) -> dict[str, Start]:
    """Make a project in each state to start from, and run a copy of it undisturbed."""
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


def planned(n: int, starts: dict[str, Start]) -> list[Trial]:
    """Draw what to do in each trial: n kills and a sixth as many other signals, spread over states and moments."""
    chance = random.Random(SEED)
    trials = []
    for number, (victim, sent) in enumerate([*_in_turn(KILLS, n), *_in_turn(SIGNALS, -(-n // 6))]):
        # Most from the start; few where nothing is trained.
        state = STATES[(0, 1, 0, 1, 0, 1, 2)[number % 7]]
        moment = chance.choice(MOMENTS[:2] if victim == "stage" else MOMENTS)
        ran = starts[state].stages
        if not ran:
            moment = "any"
        stage = chance.choice(ran) if ran else ""
        trials.append(Trial(state, moment, victim, sent, stage, chance.random()))
    return trials


def sooner(trial: Trial) -> Trial:
    """Return what to do in place of a trial whose run was over before it was hit."""
    # A dvc.lock that is as long as before cannot be seen to be written.
    moment = "while DVC saves" if trial.moment == "while dvc.lock is written" else trial.moment
    return trial._replace(moment=moment, share=trial.share / 2)


def attempt(trial: Trial, start: Start, folder: Path) -> Outcome:
    """Interrupt one run, run again, and compare."""
    project = start.project.copy(folder)
    faults: list[str] = []
    hit, cleaned = "nobody", list[str]()
    log = folder.with_suffix(".log")
    with log.open("w+", encoding="utf-8") as output:
        process = project.start("dvc", "repro", output=output, apart=True)
        try:
            hit = _strike(process, trial, start.seconds, folder, lambda: log.read_text(encoding="utf-8"))
            code = process.wait(PATIENCE)
            if "Traceback" in log.read_text(encoding="utf-8") and trial.signal != signal.SIGKILL:
                faults.append("a traceback")
            if code == 0 and hit != OVER:
                faults.append("dvc says that all went well")
            # What outlives DVC goes on while the next run begins, as it would with a user.
            again, cleaned = _run_again(project)
            if again.returncode:
                faults.append(f"dvc repro fails: {again.stdout.strip()[-300:]}")
        except subprocess.TimeoutExpired:
            faults.append(f"the run does not end within {PATIENCE:.0f} seconds")
        finally:
            _end(process)
    faults += differences(start.files, files(project))
    status = project.run("dvc", "status")
    if "up to date" not in status.output:
        faults.append(f"dvc status: {' '.join(status.output.split())[:300]}")
    if not faults:
        project.run("rm", "-rf", str(folder))
    return Outcome(hit, cleaned, faults)


def files(project: Project) -> Files:
    """Return path -> SHA-256 of dvc.lock and of all that stages write, leftovers too, but for what stages cost."""
    paths = [project.folder / "dvc.lock"]
    for name in ("data", "models", "reports"):
        paths += [path for path in (project.folder / name).rglob("*") if path.is_file()]
    return {
        path.relative_to(project.folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(paths)
        if path.is_file() and not path.is_relative_to(project.folder / TIMINGS.folder)
    }


def differences(expected: Files, found: Files) -> list[str]:
    """Say which files are missing, left over, or other than they should be."""
    return [
        f"{path} {'is missing' if path not in found else 'is left over' if path not in expected else 'differs'}"
        for path in sorted(expected.keys() | found.keys())
        if expected.get(path) != found.get(path)
    ]


def counted(done: list[tuple[Trial, Outcome]], repeated: int) -> dict[str, Any]:
    """Count the trials by what was done and what came of it.

    Parameters
    ----------
    done : list of (Trial, Outcome)
    repeated : int
        How many more came too late and were tried again.
    """
    hits = [(trial, outcome) for trial, outcome in done if not outcome.too_late]
    kills = sum(trial.signal == signal.SIGKILL for trial, _ in hits)
    return {
        "kills": kills,
        "other_signals": len(hits) - kills,
        "same_result": sum(not outcome.faults for _, outcome in hits),
        "hit": dict(Counter(outcome.hit for _, outcome in hits)),
        "state": dict(Counter(trial.state for trial, _ in hits)),
        "moment": dict(Counter(trial.moment for trial, _ in hits)),
        "cleaned": dict(Counter(what for _, outcome in hits for what in outcome.cleaned)),
        "too_late_and_repeated": repeated,
        "went_wrong": [
            *(f"{trial}: {'; '.join(outcome.faults)}" for trial, outcome in hits if outcome.faults),
            *(f"{trial}: {OVER}, {TIMES} times" for trial, outcome in done if outcome.too_late),
        ],
    }


def _undisturbed(project: Project, folder: Path) -> Start:
    finished = project.copy(folder)
    began = time.monotonic()
    stages = finished.repro()
    return Start(project, time.monotonic() - began, stages, files(finished))


def _in_turn(choices: tuple[tuple[str, signal.Signals], ...], n: int) -> list[tuple[str, signal.Signals]]:
    return [choices[number % len(choices)] for number in range(n)]


def _strike(process: subprocess.Popen[str], trial: Trial, seconds: float, folder: Path, said: Callable[[], str]) -> str:
    """Wait for the moment, send the signal, and say whom it hit."""
    if trial.moment == "any":
        _until(process, lambda: False, trial.share * seconds)
    else:
        _until(process, lambda: f"Running stage '{trial.stage}':" in said(), PATIENCE)
        if trial.moment == MOMENTS[1]:
            _until(process, lambda: False, trial.share)
        else:
            _until(process, lambda: _stage_of(process) is not None, 1.0)
            lock = folder / "dvc.lock"
            before = _size(lock)
            _until(process, lambda: _stage_of(process) is None, PATIENCE)
            if trial.moment == MOMENTS[2]:
                _until(process, lambda: False, trial.share * 0.3)
            else:
                # DVC empties the file, then writes: the moment is short, so no pause between two looks.
                _until(process, lambda: _size(lock) != before, 2.0, pause=0)
    if process.poll() is not None:
        return OVER
    stage = _stage_of(process)
    if trial.victim == "stage" and stage is not None:
        stage.send_signal(trial.signal)
        return "the stage"
    if trial.victim == "group":
        os.killpg(process.pid, trial.signal)
        return "dvc and the stage" if stage else "dvc"
    process.send_signal(trial.signal)
    return "dvc, while a stage runs" if stage else "dvc"


def _until(process: subprocess.Popen[str], reached: Callable[[], bool], seconds: float, pause: float = 0.005) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None and not reached():
        time.sleep(pause)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _stage_of(process: subprocess.Popen[str]) -> psutil.Process | None:
    """Return the process of the stage that runs, if one does."""
    try:
        children = psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return None
    # git, which DVC asks now and then, is no stage.
    running = [child for child in children if child.is_running() and _runs_stage(child)]
    return running[0] if running else None


def _runs_stage(process: psutil.Process) -> bool:
    try:
        return any("stages." in part for part in process.cmdline())
    except psutil.Error:
        return False


def _run_again(project: Project) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run `dvc repro` until it starts, with such cleaning as its own message asks for; return it and the cleaning."""
    cleaned: list[str] = []
    while True:
        with project.start("dvc", "repro", apart=True) as process:
            try:
                output, _ = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                output = "it does not end"
            finally:
                _end(process)
        done = subprocess.CompletedProcess([], process.returncode, output)
        remedy = remedies(project, output) if process.returncode and len(cleaned) < 2 else None
        if remedy is None:
            return done, cleaned
        cleaned.append(remedy)


def remedies(project: Project, said: str) -> str | None:
    """Do what DVC's message asks for, or the README where DVC's own file was cut off; return what was done."""
    if "RWLock-file" in said:
        (project.folder / ".dvc/tmp/rwlock").unlink()
        return "rm .dvc/tmp/rwlock"
    if "dvc.lock" in said and ("unable to read" in said or "validation failed" in said or "is invalid" in said):
        if project.run("git", "ls-files", "--error-unmatch", "dvc.lock").code == 0:
            project.succeed("git", "checkout", "dvc.lock")
            return "git checkout dvc.lock"
        (project.folder / "dvc.lock").unlink()
        return "rm dvc.lock"
    return None


def _end(process: subprocess.Popen[str]) -> None:
    """End whatever is left of a run's process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
