"""Two processes a stage: one works, and a small one can end it at any moment and tell how it ended.

Python heeds a signal between two steps of its own. One call into a library (a solver, an import) can be a step of half
a minute, and a crash in one leaves no step at all. So what was started waits, and its child does the work.
"""

import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

# Ctrl-C, a request to end, a terminal that is closed.
ENDING = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "ended with its terminal",
}
HINTS = {
    signal.SIGKILL: "; if nobody did that, memory has run out",
    signal.SIGILL: ": a library has instructions that this processor lacks",
}
GRACE = 0.7  # seconds in which the work can clean up after itself
GLANCE = 0.2  # seconds between looks whether DVC is still there
STDERR = 2  # a file descriptor: libraries' own code writes to it
PR_SET_PDEATHSIG = 1  # of Linux's prctl

# What the work holds back of its stderr; the other process tells it after a crash.
_held: BinaryIO | None = None
# Whether this process has been told to end; what libraries write from then on is for nobody.
_ending = False


def supervise(program: str) -> None:
    """Go on in a child process, and end this one as the child ends; called with all signals blocked.

    The child ends by SystemExit, which unwinds the stack; if that takes longer than `GRACE` it is killed, and what it
    was writing removed. It also ends with the DVC that started it, whose next run may be writing the same files.

    Parameters
    ----------
    program : str
        Opens the line that tells of an end before the work was done.

    Raises
    ------
    SystemExit
        In this process, with the child's exit code; 128 and the signal's number after a signal, to either.
    """
    global _held
    # What whoever started this ignores (nohup, a job in the background) stays ignored.
    heeded = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    starter = os.getppid() if "DVC_STAGE" in os.environ else None
    _held = tempfile.TemporaryFile()  # noqa: SIM115 - open to the end of both processes
    this, child = os.getpid(), os.fork()
    if child:
        raise SystemExit(_wait(child, program, heeded, starter))
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # when the other is killed
    if os.getppid() != this:
        os._exit(128 + signal.SIGKILL)
    for number in heeded:
        signal.signal(number, _unwind)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@contextmanager
def holding() -> Iterator[BinaryIO]:
    """Give an empty file for what is held back of stderr: a crash meanwhile does not lose it."""
    if _held is None:
        with tempfile.TemporaryFile() as words:
            yield words
        return
    try:
        yield _held
    finally:
        _held.truncate(0)


def ending() -> bool:
    """Return whether this process has been told to end: its stderr is closed then, and is to stay so."""
    return _ending


def _unwind(number: int, frame: object) -> None:
    global _ending
    _ending = True
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    # Libraries tell at length where they were interrupted; the other process says it in a sentence.
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDERR)
    raise SystemExit(128 + number)


def _wait(child: int, program: str, heeded: list[signal.Signals], starter: int | None) -> int:
    """Wait for the child to end, or end it, and return the exit code of the whole."""
    signals, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (*heeded, signal.SIGCHLD):
        signal.signal(number, lambda number, frame: None)  # the pipe has it
    signal.pthread_sigmask(signal.SIG_SETMASK, ())

    reason, code, family, deadline = "", 0, [], float("inf")
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        arrived = os.read(signals, 64) if select.select([signals], [], [], GLANCE)[0] else b""
        asked = next((number for number in arrived if number in ENDING), None)
        if not reason and asked:
            import psutil

            reason, code = ENDING[signal.Signals(asked)], 128 + asked
            family = psutil.Process(child).children(recursive=True)
            os.kill(child, asked)
            deadline = time.monotonic() + GRACE
        elif not reason and starter is not None and os.getppid() != starter:
            reason, code = "the DVC that started this stage has been killed", 128 + signal.SIGTERM
            os.kill(child, signal.SIGKILL)
    for number in heeded:
        signal.signal(number, signal.SIG_IGN)  # Python's own last steps would heed it as if nobody had
    for process in family:
        if process.is_running():
            process.kill()

    own = os.waitstatus_to_exitcode(status)
    if not reason and own - 128 in ENDING:
        reason, code = ENDING[signal.Signals(own - 128)], own  # a signal to the child alone
    if reason:
        reason += "; nothing half-written is left"
    elif own < 0:
        number = signal.Signals(-own)
        with holding() as last_words:
            last_words.seek(0)
            os.write(STDERR, last_words.read())
        reason, code = f"was ended by {number.name}{HINTS.get(number, '')}", 128 + number
    else:
        return own
    from stages.store.files.writing import remove_unfinished

    remove_unfinished(child)
    os.write(STDERR, f"{program}: {reason}\n".encode())
    return code
