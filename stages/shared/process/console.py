"""Console output: lines and progress bars."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


def say(text: str) -> None:
    """Print a line immediately, above a progress bar if there is one."""
    tqdm.write(text)


@contextmanager
def progress(description: str, total: int | None, unit: str, at_most: bool = False) -> Iterator[Callable[[int], None]]:
    """Show the progress of a long task: a bar with the remaining time on a terminal, else a line every 10 seconds.

    Parameters
    ----------
    description : str
        Name of the task.
    total : int or None
        Number of units in total, if known.
    unit : str
        Name of the unit: "rows", "epochs"; "B" is scaled to kB and MB.
    at_most : bool
        Whether the task may end before `total`.

    Yields
    ------
    callable
        `advance(n)` reports that n more units are done.
    """
    if sys.stderr.isatty():
        with tqdm(desc=description, total=total, unit=unit, unit_scale=unit == "B", leave=False) as bar:

            def update(n: int) -> None:
                bar.update(n)

            yield update
        return
    done, last = 0, time.monotonic()

    def advance(n: int) -> None:
        nonlocal done, last
        done += n
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            of = f" of {'at most ' if at_most else ''}{total:,}" if total else ""
            say(f"{description}: {done:,}{of} {unit}")

    yield advance
