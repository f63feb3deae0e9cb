"""How a stage runs as a process: signals, errors, exit codes, and its cost."""

import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from stages.shared.errors import UserError
from stages.shared.files.paths import TIMINGS
from stages.shared.files.text_files import save_json

PR_SET_PDEATHSIG = 1  # Linux: which signal to send to this process when its parent ends


def run(program: str, main: Callable[[], None], *, timed: bool = False) -> None:
    """Run a program's `main` and end the process as a command-line program should.

    A signal ends the process at once, in the middle of a library's computation too; `replacing` makes sure that no
    file is left half-written. Python's own handler would wait until the library returns. So that this holds from the
    start, `main` imports what is slow to import.

    Parameters
    ----------
    program : str
        Its name, a stage's as in dvc.yaml; error messages begin with it.
    main : callable
        Does the work; raises `UserError` for mistakes of the user.
    timed : bool
        Whether to write time and memory to reports/timings at the end. That file is not an output of the stage:
        it differs from run to run, and dvc.lock must not.

    Raises
    ------
    SystemExit
        Code 1 after a `UserError` (its text goes to stderr, without a traceback) or a MemoryError.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.SIG_DFL)
    if "DVC_STAGE" in os.environ:
        _end_with_parent()
    try:
        main()
        if timed:
            # `train-nets mlp-48` is the stage train-nets@mlp-48 of dvc.yaml.
            _write_cost("@".join([program, *sys.argv[1:]]))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"{program}: {line}", file=sys.stderr)
        raise SystemExit(1) from None
    except MemoryError as error:
        print(f"{program}: out of memory{f': {error}' if str(error) else ''}", file=sys.stderr)
        raise SystemExit(1) from None


def peak_memory() -> int:
    """Return the peak memory of this process or of its largest child process, in bytes."""
    import resource

    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    if sys.platform == "darwin":
        return int(max(own, children))
    # Linux counts in KiB, and after a fork starts from the parent's peak; its own peak is in the status file.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return 1024 * max(int(peak[1]) if peak else own, children)


def _end_with_parent() -> None:
    """End this process when the DVC that started it is killed: DVC's next run may write the same files."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the call
        os.kill(os.getpid(), signal.SIGKILL)


def _write_cost(stage: str) -> None:
    seconds = time.time() - psutil.Process().create_time()
    cost = {"seconds": round(seconds, 1), "peak_memory_mb": round(peak_memory() / 1e6)}
    save_json(TIMINGS.path(stage), cost)
