"""How a stage speaks to the person who runs it: one-sentence errors, lines, progress."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class UserError(Exception):
    """A mistake that the user can mend; its text says what is wrong, where, and what is allowed."""


def say(text: str) -> None:
    """Print one line of what the stage does or found, at once even into a pipe."""
    tqdm.write(text)  # above a bar, if one is drawn
    sys.stdout.flush()


@contextmanager
def progress(what: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Show how far a long piece of work is: a bar with the time left on a terminal, plain lines elsewhere.

    Parameters
    ----------
    what : str
        Name of the work.
    total : int or None
        Number of units in the whole, if known.
    unit : str
        Name of the unit: "rows", "epochs"; "B" is scaled to kB and MB.

    Yields
    ------
    callable
        `advance(n)`: n more units are done.
    """
    if sys.stderr.isatty():
        with tqdm(desc=what, total=total, unit=unit, unit_scale=unit == "B", leave=False) as bar:

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
            say(f"{what}: {done:,} of {total:,} {unit}" if total else f"{what}: {done:,} {unit}")

    yield advance
