"""Starting DVC from tools, benchmarks and tests."""

import os
import sys
from pathlib import Path

DVC = (sys.executable, "-m", "dvc")


def environment() -> dict[str, str]:
    """Return the environment for a process that runs DVC.

    DVC runs stages as `python -m stages...`, with the shell that SHELL names. Here, `python` is the Python of this
    process, and the shell is one that every system has: the user's own may be another language or run nothing.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "SHELL": "/bin/sh"}
