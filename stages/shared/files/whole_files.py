"""Files that are either whole or absent."""

import os
import re
import struct
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock

from stages.shared.errors import UserError

UNFINISHED = ".writing-"
# What NumPy, pandas, Keras, skops and Python's own readers raise at a file that is cut off or altered.
DAMAGE: tuple[type[Exception], ...] = (
    *(ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError, OSError, EOFError, SyntaxError),
    *(ArithmeticError, MemoryError, RuntimeError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, and rename it to `path` once the block has ended without an error.

    Parameters
    ----------
    path : Path
        The file to write; its folder is made where missing.

    Yields
    ------
    Path
        A path in the same folder (so that the renaming is atomic) with the same ending.

    Raises
    ------
    UserError
        The disk is full, or the folder cannot be written to; `path` is as it was before.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_behind(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{UNFINISHED}{os.getpid()}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes files private; everything here is meant to be read by others.
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_left_behind(folder: Path) -> None:
    """Remove what killed processes were writing in a folder."""
    for left in folder.glob(f"{UNFINISHED}*"):
        writer = re.match(rf"{UNFINISHED}(\d+)-", left.name)
        if writer and not psutil.pid_exists(int(writer[1])):
            left.unlink(missing_ok=True)


def remove_unfinished(writer: int) -> None:
    """Remove what a process that was killed, by its number, was writing in the folders of the pipeline."""
    for folder in ("data", "models", "reports"):
        for left in Path(folder).rglob(f"{UNFINISHED}{writer}-*"):
            left.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of a folder, then hold it during the block.

    The lock file is beside the folder, `.raw.lock` for `raw`: DVC counts every file in an output folder.

    Raises
    ------
    UserError
        The lock file cannot be created.
    """
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        held = lock.acquire()
    except OSError as error:
        raise UserError(f"cannot write {lock.lock_file}: {error.strerror or error}") from error
    with held:
        yield


def require_file(path: Path) -> Path:
    """Return `path` if there is such a file.

    Raises
    ------
    UserError
        There is none: an earlier stage has not run.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; run 'dvc repro', which runs the stage that makes it")
    return path
