"""What the driver shows of a group of stages: a line when one starts and ends, and on a terminal a live table."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.live import Live
from rich.table import Table

from cluster.machine import REMARK
from cluster.on_dask import Ended
from stages.shared.files.whole_files import replacing
from stages.shared.process.console import say


class Board:
    """Stages that wait, run and have ended.

    Parameters
    ----------
    expected : mapping of str to (float or None)
        Stage -> the seconds that it took when it last ran, None if unknown; in the order in which they start.
    """

    def __init__(self, expected: Mapping[str, float | None]) -> None:
        self.expected = dict(expected)
        self.began: dict[str, float] = {}  # stage that runs -> when, in seconds of time.time()
        self.workers: dict[str, str] = {}
        self.done, self.failed = list[str](), list[str]()
        self.live = False

    @property
    def waiting(self) -> list[str]:
        """The stages that have not started."""
        return [stage for stage in self.expected if stage not in (*self.began, *self.done, *self.failed)]

    def started(self, stage: str) -> None:
        """Note a stage that was sent to a worker."""
        self.began[stage] = time.time()
        if not self.live:
            say(f"{stage}: started")

    def running(self, workers: dict[str, str]) -> None:
        """Note the address of the worker of each stage that runs."""
        self.workers = workers

    def ended(self, stage: str, how: Ended) -> None:
        """Note how a stage ended, and write its files."""
        del self.began[stage]
        (self.failed if how.code else self.done).append(stage)
        left = len(self.began) + len(self.waiting)
        if how.code:
            say(f"{stage} failed{f' on {how.machine}' if how.machine else ''}, {left} left:\n{how.output}")
            return
        for file, content in how.files.items():
            with replacing(Path(file)) as temporary:
                temporary.write_bytes(content)
        for line in how.output.splitlines():
            if line.startswith(REMARK):
                say(f"{stage}: {line.removeprefix(REMARK)}")
        say(f"{stage}: done in {how.seconds:.1f} s on {how.machine}, {left} left")

    def seconds_left(self) -> float | None:
        """Estimate the time until all have ended, at least that of the longest; None if no stage's time is known."""
        known = [seconds for seconds in self.expected.values() if seconds is not None]
        if not known or not self.began:
            return None
        usual = fmean(known)
        left = {
            stage: max(
                0.0, (usual if seconds is None else seconds) - (time.time() - self.began.get(stage, time.time()))
            )
            for stage, seconds in self.expected.items()
            if stage not in (*self.done, *self.failed)
        }
        return max(*left.values(), sum(left.values()) / len(self.began), 0.0)

    def __rich__(self) -> Table:
        """Draw the table."""
        left = self.seconds_left()
        counts = [f"{len(self.began)} running", f"{len(self.waiting)} waiting", f"{len(self.done)} done"]
        counts += [f"{len(self.failed)} failed"] if self.failed else []
        counts += [f"about {_span(left)} left"] if left is not None else []
        table = Table(caption=", ".join(counts), caption_justify="left", box=None, pad_edge=False)
        for name in ("stage", "worker", "since", "for", "last time"):
            table.add_column(name, no_wrap=True)
        for stage, began in self.began.items():
            expected = self.expected[stage]
            table.add_row(
                stage,
                self.workers.get(stage, ""),
                time.strftime("%H:%M:%S", time.localtime(began)),
                _span(time.time() - began),
                "" if expected is None else _span(expected),
            )
        return table


def _span(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d} min" if minutes else f"{seconds} s"


class _Terminal(Console):
    def show_cursor(self, show: bool = True) -> bool:
        """Keep the cursor: Ctrl-C ends the driver at once, and a hidden one would stay hidden."""
        return False


@contextmanager
def shown(board: Board) -> Iterator[None]:
    """Show a board as a live table, below the lines, if standard output is a terminal."""
    board.live = sys.stdout.isatty()
    if not board.live:
        yield
        return
    with Live(board, console=_Terminal(), transient=True, refresh_per_second=1):
        yield
