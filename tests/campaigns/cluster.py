"""Faults at random moments of stages at once: running again gives the results of a serial run, and trains little."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.shared.process.console import progress
from tests.campaigns.kill import SEED
from tests.fixtures.machines import WORK, Cluster, kept, kill_worker, processes_below, runs, sleeping, with_remote
from tests.fixtures.small_project import Project

SECONDS = 1.0  # that a stage sleeps
USUAL = 20.0  # seconds that an undisturbed run takes, within which the faults come
TIMEOUT = 300.0  # seconds for one run, on a busy machine
GONE = 60.0  # seconds within which the processes of stages must have ended


class Trial:
    """A driver, on this machine or with two others, in a folder of its own."""

    def __init__(self, folder: Path, template: Project, here: bool) -> None:
        folder.mkdir()
        self.log = folder / "log"
        self.log.mkdir()
        os.environ["LOG"] = str(self.log)
        self.project = template.copy(folder / "project")
        self.storage = folder / "storage"
        self.cluster = Cluster(folder / "machines")
        self.cluster.folder.mkdir()
        self.here = here
        if not here:
            with_remote(self.project, self.storage)
            self.cluster.scheduler()

    def start(self) -> "subprocess.Popen[str]":
        """Start the driver."""
        options = ("--at-once", "2") if self.here else ("--scheduler", self.cluster.address)
        return self.project.start(sys.executable, "-m", "cluster", *options, own_session=True)

    def machines(self) -> None:
        """Start the scheduler and the machines that are gone."""
        if self.here:
            return
        if "scheduler" not in self.cluster.processes:
            self.cluster.close()  # they look for the old one
            self.cluster.scheduler()
        for name in ("one", "two"):
            if name not in self.cluster.processes:
                self.cluster.worker(name)

    @property
    def kept(self) -> int:
        """How many stages have results that a later run finds."""
        return kept(self.project.folder / ".dvc/cache" if self.here else self.storage)


def _files(folder: Path, name: str) -> list[Path]:
    """Find the files of a name below a folder in which processes write."""
    return [Path(parent, name) for parent, _, names in os.walk(folder) if name in names]


def end(number: signal.Signals, what: str) -> Callable[[Trial, "subprocess.Popen[str]"], None]:
    """Return a fault: a signal to the driver, the scheduler, a machine, or its process that runs stages."""

    def fault(trial: Trial, driver: "subprocess.Popen[str]") -> None:
        if what == "driver":
            driver.send_signal(number)
        elif what == "worker":
            kill_worker(trial.cluster.processes["one"].pid, number)
        else:
            trial.cluster.kill(what, number)

    return fault


def interrupt(trial: Trial, driver: "subprocess.Popen[str]", times: int = 1) -> None:
    """Send what Ctrl-C sends."""
    for _ in range(times):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(driver.pid, signal.SIGINT)
        time.sleep(0.05)


def interrupt_twice(trial: Trial, driver: "subprocess.Popen[str]") -> None:
    """Send what Ctrl-C twice sends."""
    interrupt(trial, driver, 2)


def fail(trial: Trial, driver: "subprocess.Popen[str]") -> None:
    """Let the command of one stage fail, wherever it starts from now on."""
    for path in _files(trial.project.folder.parent, "dvc.yaml"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name("fail-c").touch()


def lose_remote(trial: Trial, driver: "subprocess.Popen[str]") -> None:
    """Put a file in the place of the remote."""
    if trial.storage.exists():
        trial.storage.rename(trial.storage.with_name("away"))
        trial.storage.touch()


def damage(trial: Trial, driver: "subprocess.Popen[str]") -> None:
    """Change the inputs in the copies of the project on the machines."""
    for path in _files(trial.cluster.folder, "x"):
        with contextlib.suppress(FileNotFoundError):  # DVC writes it anew
            path.unlink()
            path.write_text("6\n")


def other_versions(trial: Trial, driver: "subprocess.Popen[str]") -> None:
    """Replace a machine by one with another version of a library."""
    metadata = trial.cluster.folder / "other" / "scipy-0.1.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.1\n")
    trial.cluster.kill("two")
    trial.cluster.worker("two", PYTHONPATH=str(trial.cluster.folder / "other"))


def no_machines(trial: Trial, driver: "subprocess.Popen[str]") -> None:
    """End all machines; others come a second later."""
    for name in ("one", "two"):
        trial.cluster.kill(name)
    time.sleep(1)
    trial.machines()


def mend(trial: Trial) -> None:
    """Undo faults that stay."""
    away = trial.storage.with_name("away")
    if away.exists():
        trial.storage.unlink()
        away.rename(trial.storage)
    for path in _files(trial.project.folder.parent, "fail-c"):
        path.unlink(missing_ok=True)
    if (trial.cluster.folder / "other").exists():
        trial.cluster.kill("two")
        shutil.rmtree(trial.cluster.folder / "other")
    trial.machines()


Fault = Callable[[Trial, "subprocess.Popen[str]"], None]
OF_THE_DRIVER: dict[str, Fault] = {
    "kill -9 of the driver": end(signal.SIGKILL, "driver"),
    "SIGTERM of the driver": end(signal.SIGTERM, "driver"),
    "Ctrl-C": interrupt,
    "Ctrl-C twice": interrupt_twice,
    "a stage fails": fail,
}
OF_MACHINES: dict[str, Fault] = {
    "kill -9 of a worker": end(signal.SIGKILL, "worker"),
    "SIGTERM of a worker": end(signal.SIGTERM, "worker"),
    "kill -9 of a machine": end(signal.SIGKILL, "one"),
    "SIGTERM of a machine": end(signal.SIGTERM, "one"),
    "kill -9 of the scheduler": end(signal.SIGKILL, "scheduler"),
    "SIGTERM of the scheduler": end(signal.SIGTERM, "scheduler"),
    "the remote is lost": lose_remote,
    "inputs are damaged": damage,
    "another version": other_versions,
    "all machines go": no_machines,
}
# (on this machine?, name, fault)
FAULTS = [(True, *fault) for fault in OF_THE_DRIVER.items()]
FAULTS += [(False, *fault) for fault in [*OF_THE_DRIVER.items(), *OF_MACHINES.items()]]


def campaign(n: int) -> dict[str, Any]:
    """Disturb n runs of a sleeping pipeline, each once.

    Parameters
    ----------
    n : int
        Number of faults.

    Returns
    -------
    dict
        Counts of faults and outcomes, and `went_wrong`, a list of str.
    """
    chance = random.Random(SEED)
    counts: Counter[str] = Counter(faults=0, too_late=0, same_result=0, trained_twice=0)
    named: Counter[str] = Counter()
    how: Counter[str] = Counter()
    wrong: list[str] = []
    earlier = os.environ.get("LOG")
    with tempfile.TemporaryDirectory(prefix="cluster-") as folder, progress("cluster", n, "faults") as advance:
        template = sleeping(Path(folder) / "template", SECONDS)
        os.environ["LOG"] = folder
        serial = template.copy(Path(folder) / "serial")
        serial.repro()
        for number in range(n):
            here, name, fault = FAULTS[number % len(FAULTS)]
            trial = Trial(Path(folder) / f"trial-{number}", template, here)
            moment = chance.random()
            try:
                outcome, again, faults = attempt(trial, fault, moment * USUAL, serial)
            finally:
                trial.cluster.close()
            counts["faults"] += outcome != "too late"
            counts["too_late"] += outcome == "too late"
            counts["same_result"] += not faults
            counts["trained_twice"] += again
            named[f"{name}, {'this machine' if here else 'machines'}"] += 1
            how[outcome] += 1
            wrong += [f"{name}, {'AT_ONCE' if here else 'SCHEDULER'}, at {moment:.3f}: {text}" for text in faults]
            advance(1)
    if earlier is not None:
        os.environ["LOG"] = earlier
    return {**counts, "ended": dict(how), "fault": dict(named), "went_wrong": wrong}


def attempt(trial: Trial, fault: Fault, seconds: float, serial: Project) -> tuple[str, int, list[str]]:
    """Disturb one run after some seconds, and run again.

    Returns
    -------
    outcome : str
        How the first run ended.
    again : int
        Number of stages that were trained although an earlier run had finished them.
    faults : list of str
        What went wrong.
    """
    faults: list[str] = []
    trial.machines()
    driver = trial.start()
    try:
        output, _ = driver.communicate(timeout=seconds)
        outcome = "too late"
    except subprocess.TimeoutExpired:
        fault(trial, driver)
        output, outcome = _ended(driver)
    if "Traceback" in output:
        faults.append(f"a traceback: {output[-500:]}")
    if outcome not in ("well", "too late") and not output.strip() and driver.returncode > 0:
        faults.append("no sentence")
    if driver.returncode:
        began = time.monotonic()
        while stages := _stages(trial):
            if time.monotonic() - began > GONE:
                faults.append(f"processes live on: {stages}")
                break
            time.sleep(0.1)
    mend(trial)
    finished, before = trial.kept, sum(runs(trial.log).values())
    output, again = _ended(trial.start())
    if again != "well":
        faults.append(f"running again fails: {output[-500:]}")
    twice = max(0, sum(runs(trial.log).values()) - before - (len(WORK) - finished))
    if twice:
        faults.append(f"{twice} stages were trained again")
    for name in ("dvc.lock", "all.txt"):
        if not (trial.project.folder / name).is_file() or trial.project.read(name) != serial.read(name):
            faults.append(f"{name} differs")
    return outcome, twice, faults


def _ended(driver: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for a run; return its output and how it ended."""
    try:
        output, _ = driver.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        os.killpg(driver.pid, signal.SIGKILL)
        return driver.communicate()[0], "not at all"
    if driver.returncode < 0:
        return output, "by the signal"
    return output, "with a sentence" if driver.returncode else "well"


def _stages(trial: Trial) -> list[str]:
    """Return the processes that run in the copies of the project."""
    folders = [trial.project.folder, *(trial.cluster.folder / name for name in ("one", "two"))]
    return [str(process) for folder in folders for process in processes_below(folder)]
