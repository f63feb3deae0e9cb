"""How a stage speaks to the person who runs it: one-sentence errors, progress, a clean end."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class UserError(Exception):
    """A mistake that the user can mend; its text says what is wrong, where, and what is allowed."""


def run(stage: str, main: Callable[[], None]) -> None:
    """Run a stage's `main` and end the process as a command-line program should.

    Parameters
    ----------
    stage : str
        The stage's name as in dvc.yaml; it opens each error line.
    main : callable
        Reads, works and writes; raises `UserError` for what the user can mend.

    Raises
    ------
    SystemExit
        Code 1 after a `UserError` (its text on stderr, no traceback), 130 after Ctrl-C, 143 after SIGTERM.
    """
    signal.signal(signal.SIGTERM, _terminated)
    # TensorFlow's start-up notes (oneDNN, CPU features); warnings and errors stay.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    try:
        main()
    except UserError as error:
        for line in str(error).splitlines():
            print(f"{stage}: {line}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(f"{stage}: interrupted; nothing half-written is left", file=sys.stderr)
        raise SystemExit(130) from None


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


def _terminated(signum: int, frame: object) -> None:
    # SystemExit unwinds the stack, so that temporary files are removed on the way.
    raise SystemExit(128 + signum)
