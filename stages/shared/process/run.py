"""Running a program as a process: signals, errors, exit codes, time and memory."""

import ctypes
import errno
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from stages.shared.errors import UserError, one_line
from stages.shared.files.paths import TIMINGS
from stages.shared.files.text_files import save_json
from stages.shared.process.environment import prepare_environment
from stages.shared.process.git_variables import unset_git_variables
from stages.shared.process.streams import prepare_streams

# Errors of TensorFlow, OpenCV, C++ libraries, the system and Python, which share no class.
OUT_OF_MEMORY = re.compile(
    "ResourceExhaustedError|Insufficient memory|bad_alloc|bad allocation|Cannot allocate memory|can't start new thread"
)
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)

PR_SET_PDEATHSIG = 1  # Linux: sets the signal that a process receives when its parent ends


def run(program: str, main: Callable[[], None], *, timed: bool = False) -> None:
    """Run the `main` of a command-line program.

    Results do not depend on the environment variables of the person who starts it: see `prepare_environment`.

    SIGINT, SIGTERM and SIGHUP end the process immediately, even inside a library: Python's own handler would wait for
    the library to return. Files are complete all the same, because they are written with `replacing`. Slow imports
    belong in `main`, so that signals are handled before them.

    Parameters
    ----------
    program : str
        Name of the program, for a stage as in dvc.yaml; error messages start with it.
    main : callable
        Does the work; raises `UserError` for mistakes that the user can correct.
    timed : bool
        Whether to write time and memory to reports/timings when DVC runs it. These files differ between runs, so they
        are not outputs of a stage.

    Raises
    ------
    SystemExit
        Exit code 1 after a UserError, or when memory or disk space is exhausted; the message is printed to stderr
        without a traceback.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, signal.SIG_DFL)
    prepare_streams()
    prepare_environment()
    unset_git_variables()
    stage = os.environ.get("DVC_STAGE", "").rpartition(":")[2]  # without the path of dvc.yaml
    if stage:
        _end_with_dvc(program)
    try:
        main()
        if timed and stage:
            _write_timing(stage)
    except Exception as error:
        message = str(error) if isinstance(error, UserError) else _exhausted(error)
        if message is None:
            raise
        for line in message.splitlines():
            print(f"{program}: {line}", file=sys.stderr)
        raise SystemExit(1) from None


def peak_memory() -> int:
    """Return the peak memory of this process or of its largest child process, in bytes."""
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    if sys.platform == "darwin":
        return max(own, children)
    # Linux counts in KiB. After a fork, ru_maxrss starts at the peak of the parent; VmHWM does not.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return 1024 * max(int(peak[1]) if peak else own, children)


def _exhausted(error: Exception) -> str | None:
    """Return a message if memory, threads or disk space are exhausted, else None."""
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(f"{type(error).__name__}: {error}"):
        # TensorFlow's first line is the reason; the names of the operations that led to it follow.
        reason = one_line(str(error).partition("\n")[0])
        return f"out of memory: {reason}" if reason else "out of memory"
    if isinstance(error, OSError) and (error.errno in DISK_FULL or "temporary directory" in str(error)):
        return f"{one_line(error)}; free disk space, or set TMPDIR to a folder with room for temporary files"
    return None


def die_with_parent() -> None:
    """On Linux, let this process be killed when its parent ends, in whatever way."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_dvc(program: str) -> None:
    """On Linux, end this process when DVC is killed: its next run could write the same files."""
    die_with_parent()
    # If DVC was killed before this call, another process, in another session, has become the parent.
    if sys.platform == "linux" and os.getsid(os.getppid()) != os.getsid(0):
        raise SystemExit(f"{program}: the DVC that started this stage has ended")


def _write_timing(stage: str) -> None:
    seconds = time.time() - psutil.Process().create_time()
    save_json(TIMINGS.path(stage), {"seconds": round(seconds, 1), "peak_memory_mb": round(peak_memory() / 1e6)})
