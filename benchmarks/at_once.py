"""Stages at once against the same stages one after the other: `make repro AT_ONCE=...` and `dvc repro`.

Most stages measured here sleep, so that a machine of two cores shows what one of sixteen would do.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil
from ruamel.yaml import YAML

from benchmarks.pipeline import run_command
from benchmarks.timing import timed
from stages.shared.errors import UserError
from stages.shared.files.paths import TIMINGS
from stages.shared.process.console import say
from tools.programs import DVC, environment

REPEATS = 3  # of runs that take seconds
POLL = 0.1  # seconds from one look at the driver's processor time to the next
SERIAL = [*DVC, "repro", "--quiet"]
THREADS = 1  # per stage: with stages at once, the number of cores must be a setting


class Sizes(NamedTuple):
    """How many stages are measured, and how long they sleep.

    Attributes
    ----------
    long, seconds, workers : int, float, int
        Stages whose time is compared with the serial one, what each sleeps, and how many run at once.
    few, more : int
        Two numbers of stages that do nothing: the difference is free of what a run takes once.
    numbers : tuple of int
        How many of these run at once, in one run each.
    many, short : int, float
        Stages that show the driver's own time, and what each sleeps.
    scale : float
        What the sleeping stages that stand for the real models take of the models' own time.
    """

    long: int = 24
    seconds: float = 20.0
    workers: int = 8
    few: int = 4
    more: int = 24
    numbers: tuple[int, ...] = (1, 2)
    many: int = 100
    short: float = 1.0
    scale: float = 1.0


SIZES = Sizes()


def sleeping_stages(sizes: Sizes = SIZES) -> list[dict[str, Any]]:
    """Time projects whose stages sleep.

    Returns
    -------
    list of dict
        run; serial_seconds and seconds, of `dvc repro` and of the stages at once (serial_seconds may be None); figure,
        what is judged, as text; bar, what it should be, as text; met.

    Raises
    ------
    UserError
        A command fails: Dask is not installed, for example.
    """
    return [
        _many_workers(sizes),
        *_one_more(sizes),
        _driver(sizes),
        _sixteen_cores(sizes),
        _nothing_to_do(sizes),
    ]


def whole_pipeline() -> list[dict[str, Any]]:
    """Run the pipeline of the last commit in two new clones, serially and two stages at once, on a core each.

    Returns
    -------
    list of dict
        As `sleeping_stages` returns them.

    Raises
    ------
    UserError
        A command fails, or the results differ.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        serial, parallel = (clone(Path(folder) / name) for name in ("serial", "parallel"))
        for project in (serial, parallel):
            yaml, params = YAML(), project / "params.yaml"
            settings = yaml.load(params)
            settings["training"]["threads"] = THREADS
            yaml.dump(settings, params)
        say("cluster-pipeline: one after the other")
        one = _seconds(SERIAL, serial)
        say("cluster-pipeline: two at once")
        two = _seconds(at_once(2), parallel)
        if (serial / "dvc.lock").read_bytes() != (parallel / "dvc.lock").read_bytes():
            raise UserError("the results of stages at once are not those of 'dvc repro'")
        return [
            _row("the pipeline, `threads: 1`, 2 at once", one, two, f"{one / two:.2f} times faster", "1", one >= two),
            _idle("the pipeline, nothing to do", serial, parallel),
        ]


def clone(folder: Path) -> Path:
    """Clone the last commit of the current folder, without its results, so that every stage runs."""
    run_command(["git", "clone", "--quiet", str(Path.cwd()), str(folder)], Path.cwd())
    (folder / "dvc.lock").unlink(missing_ok=True)
    return folder


def at_once(number: int) -> list[str]:
    """Return the command that runs stages at once."""
    return [sys.executable, "-m", "cluster", "--at-once", str(number)]


def sleeping_project(folder: Path, seconds: Mapping[str, float], before: float = 0.0, after: float = 0.0) -> Path:
    """Make a clone in which the stages sleep; its files are those of the project, which are copied to the workers.

    Parameters
    ----------
    folder : Path
        Created here.
    seconds : mapping of str to float
        Stage -> seconds, of stages that do not depend on each other.
    before, after : float
        Seconds of the stages that run before and after them.
    """
    clone(folder)
    outputs = {name: f"models/{name}.txt" for name in seconds}
    sleeping = {
        name: {
            "cmd": f"sleep {each} && mkdir -p models && echo {name} > {outputs[name]}",
            "params": ["training"],
            "deps": ["data/raw"],
            "outs": [outputs[name]],
        }
        for name, each in seconds.items()
    }
    stages = {
        "first": {"cmd": f"sleep {before} && mkdir -p data/raw && echo 1 > data/raw/images", "outs": ["data/raw"]},
        **sleeping,
        "last": {
            "cmd": f"sleep {after} && touch all.txt",
            "deps": [*outputs.values()],
            "outs": [{"all.txt": {"cache": False}}],
        },
    }
    training = {"seed": 1, "threads": THREADS, "train_accuracy_rows": None}
    for name, content in {"dvc.yaml": {"stages": stages}, "params.yaml": {"training": training}}.items():
        YAML().dump(content, folder / name)
    return folder


def _many_workers(sizes: Sizes) -> dict[str, Any]:
    seconds = _equal(sizes.long, sizes.seconds)
    serial, parallel = _timed(SERIAL, seconds), _timed(at_once(sizes.workers), seconds)
    bar = 5 if (psutil.cpu_count() or 1) < 4 else 6
    return _row(
        f"{sizes.long} stages of {sizes.seconds:g} s, {sizes.workers} at once",
        serial,
        parallel,
        f"{serial / parallel:.1f} times faster",
        f"at least {bar}",
        serial / parallel >= bar,
    )


def _one_more(sizes: Sizes) -> list[dict[str, Any]]:
    def one_more(command: list[str]) -> float:
        few, more = (_timed(command, _equal(count, 0.0)) for count in (sizes.few, sizes.more))
        return (more - few) / (sizes.more - sizes.few)

    serial = one_more(SERIAL)
    rows = []
    for number in sizes.numbers:
        seconds, what = one_more(at_once(number)), f"one more stage that does nothing, {number} at once"
        rows.append(_row(what, serial, seconds, f"{seconds:.2f} s", "at most 2.5 s", seconds <= 2.5))
    return rows


def _driver(sizes: Sizes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        project = sleeping_project(Path(folder) / "project", _equal(sizes.many, sizes.short))
        seconds, busy = (each / sizes.many for each in run_driver(at_once(sizes.workers), project))
    return _row(
        f"{sizes.many} stages of {sizes.short:g} s, {sizes.workers} at once",
        None,
        seconds * sizes.many,
        f"per stage {seconds:.2f} s, and {busy:.2f} s of the driver's processor time",
        "each below 2 s",
        max(seconds, busy) < 2,
    )


def _sixteen_cores(sizes: Sizes) -> dict[str, Any]:
    times = {
        path.stem: sizes.scale * float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
        for path in sorted(TIMINGS.folder.iterdir())
    }
    models = {name.partition("@")[2]: each for name, each in times.items() if name.startswith("train-")}
    longest = max(models.values())
    after = sum(each for name, each in times.items() if name.startswith(("evaluate", "plot-", "report")))
    seconds = _timed(at_once(16), models, sum(times.values()) - sum(models.values()) - after, after)
    scaled = "" if sizes.scale == 1 else f", times {sizes.scale:g}"
    return _row(
        f"stages that sleep as long as those of reports/timings take{scaled}, 16 at once",
        None,
        seconds,
        f"{seconds / longest:.2f} times the longest, {longest:.0f} s",
        "at most 1.2",
        seconds <= 1.2 * longest,
    )


def _nothing_to_do(sizes: Sizes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        project = sleeping_project(Path(folder) / "project", _equal(sizes.more, 0.0))
        run_command(SERIAL, project)
        return _idle(f"{sizes.more} stages, nothing to do", project, project)


def _idle(what: str, serial: Path, parallel: Path) -> dict[str, Any]:
    one = median(_seconds(SERIAL, serial) for _ in range(REPEATS))
    two = median(_seconds(at_once(2), parallel) for _ in range(REPEATS))
    return _row(what, one, two, f"{two - one:+.1f} s", "at most 2 s more", two - one <= 2)


def _timed(command: list[str], seconds: Mapping[str, float], before: float = 0.0, after: float = 0.0) -> float:
    """Return the seconds that a command takes in a new project whose stages sleep."""
    say(f"cluster: {len(seconds)} stages, {'one after the other' if command == SERIAL else f'{command[-1]} at once'}")
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return _seconds(command, sleeping_project(Path(folder) / "project", seconds, before, after))


def run_driver(command: list[str], folder: Path) -> tuple[float, float]:
    """Run stages at once; return the seconds, and the processor seconds of the driver and of the DVC that it starts."""
    began, spent = time.perf_counter(), dict[int, float]()
    with subprocess.Popen(command, cwd=folder, env=environment()) as process:
        driver = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                spent[driver.pid] = sum(driver.cpu_times()[:2])
                for child in driver.children():
                    if "dvc" in child.cmdline():  # not a worker
                        spent[child.pid] = sum(child.cpu_times()[:4])
            except psutil.Error:  # it has just ended
                pass
            time.sleep(POLL)
    if process.returncode:
        raise UserError(f"'{' '.join(command)}' failed: see its output above")
    return time.perf_counter() - began, sum(spent.values())


def _equal(count: int, seconds: float) -> dict[str, float]:
    return {f"work-{number:03d}": seconds for number in range(1, count + 1)}


def _seconds(command: list[str], folder: Path) -> float:
    return timed(lambda: run_command(command, folder))[1]


def _row(what: str, serial: float | None, seconds: float, figure: str, bar: str, met: bool) -> dict[str, Any]:
    say(f"cluster: {what}: {seconds:.1f} s; {figure} (bar: {bar}){'' if met else ', missed'}")
    return {"run": what, "serial_seconds": serial, "seconds": seconds, "figure": figure, "bar": bar, "met": met}
