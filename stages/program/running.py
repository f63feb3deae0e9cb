"""How a stage begins and ends as a program: one-sentence errors, a clean end, and what it cost."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from stages.program import supervision
from stages.program.console import UserError
from stages.store.files.places import TIMINGS
from stages.store.files.writing import replacing


def run(program: str, main: Callable[[], None], *, timed: bool = False) -> None:
    """Run a program's `main` and end the process as a command-line program should.

    Parameters
    ----------
    program : str
        Its name, a stage's as in dvc.yaml; it opens each error line.
    main : callable
        Reads, works and writes; raises `UserError` for what the user can mend.
    timed : bool
        Whether to note what it cost once it has ended well, in reports/timings. That is no output of the stage:
        it would differ from run to run, and dvc.lock is to stay as it is.

    Raises
    ------
    SystemExit
        Code 1 after a `UserError` (its text on stderr, no traceback) or a MemoryError, 130 after Ctrl-C, 143 after
        SIGTERM.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:  # a stage heeds signals already: `supervision`
        signal.signal(signal.SIGTERM, _terminated)
    try:
        main()
        if timed:
            # train-nets mlp-48 is the stage train-nets@mlp-48 of dvc.yaml.
            _note_cost("@".join([program, *sys.argv[1:]]))
    except UserError as error:
        for line in str(error).splitlines():
            print(f"{program}: {line}", file=sys.stderr)
        raise SystemExit(1) from None
    except MemoryError as error:
        print(f"{program}: there is too little memory: {str(error) or 'Python can get no more'}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(f"{program}: interrupted; nothing half-written is left", file=sys.stderr)
        raise SystemExit(130) from None


def start_tensorflow() -> None:
    """Import TensorFlow as all stages use it, before the first import of Keras, and without its start-up notes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # notes on CPU features; warnings and errors stay
    # Left to itself, TensorFlow takes oneDNN's kernels on the newest processors alone; older ones gain more by them.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    sys.stderr.flush()
    stderr = os.dup(supervision.STDERR)
    with supervision.holding() as written:
        os.dup2(written.fileno(), supervision.STDERR)
        try:
            import tensorflow  # noqa: F401
        finally:
            # A signal within a library's own code comes out of it as an ImportError, with a traceback.
            if not supervision.ending():
                os.dup2(stderr, supervision.STDERR)
            os.close(stderr)
            written.seek(0)
            # These come before any log level counts.
            notes = (b"oneDNN custom operations are on", b"log messages before absl::InitializeLog()")
            os.write(supervision.STDERR, b"".join(line for line in written if not any(note in line for note in notes)))


def peak_memory() -> int:
    """Return the most memory that this process, or the largest one it started, has held so far, in bytes."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource  # Unix alone has it

    self, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    if sys.platform == "darwin":
        return int(max(self, children))
    # Linux counts in KiB, and for a process also what the one that started it held then; its status does not.
    own = re.search(r"^VmHWM:\s*(\d+) kB$", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    return 1024 * max(int(own[1]) if own else self, children)


def _note_cost(stage: str) -> None:
    seconds = time.time() - psutil.Process().create_time()
    cost = {"seconds": round(seconds, 1), "peak_memory_mb": round(peak_memory() / 1e6)}
    with replacing(TIMINGS / f"{stage}.json") as temporary:
        temporary.write_text(json.dumps(cost, indent=2) + "\n", encoding="utf-8")


def _terminated(signum: int, frame: object) -> None:
    # SystemExit unwinds the stack, so that temporary files are removed on the way.
    raise SystemExit(128 + signum)
