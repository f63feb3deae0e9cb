"""Writing files whole or not at all, and reading files that may be missing or damaged."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from stages.shared.errors import UserError, one_line

UNFINISHED = ".writing-"  # prefix of temporary files; the number of the writing process follows


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to `path` when the block ends without an error.

    Temporary files that killed processes left in the folder are removed.

    Parameters
    ----------
    path : Path
        The file to write; its folder is created if it is missing.

    Yields
    ------
    Path
        A path with the same suffix in the same folder, so that renaming is atomic.

    Raises
    ------
    UserError
        The disk is full, or the folder is not writable; `path` is unchanged.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_unfinished(path.parent)
        temporary = path.absolute().with_name(f"{UNFINISHED}{os.getpid()}-{os.urandom(4).hex()}{path.suffix}")
        temporary.touch(exist_ok=False)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remove_unfinished(folder: Path) -> None:
    for path in folder.glob(f"{UNFINISHED}*"):
        writer = re.match(rf"{UNFINISHED}(\d+)-", path.name)
        if writer and not psutil.pid_exists(int(writer[1])):
            path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process holds the lock of a folder, then hold it during the block.

    The lock file is beside the folder, `.raw.lock` for `raw`: DVC counts every file in an output folder.

    Raises
    ------
    UserError
        The lock file cannot be created.
    """
    from filelock import FileLock  # takes as long to import as all that a stage needs before it handles signals

    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        # Some file servers have no locks.
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise UserError(f"cannot write {lock.lock_file}: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def require_file(path: Path) -> Path:
    """Return `path` if it is a file.

    Raises
    ------
    UserError
        The file is missing: an earlier stage has not run.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; run 'dvc repro', which runs the stage that writes it")
    return path


@contextmanager
def reading(path: Path, remedy: str = "; delete it and run 'dvc repro', which restores it") -> Iterator[None]:
    """Raise a UserError if a file is missing, or if the block cannot read it.

    Parameters
    ----------
    path : Path
        The file that the block reads.
    remedy : str
        End of the error message.
    """
    require_file(path)
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:  # readers raise almost any exception for a truncated or altered file
        # Keras writes the whole configuration of a layer before the reason.
        reason = one_line(str(error).rpartition("Exception encountered: ")[2]) or type(error).__name__
        raise UserError(f"{path} cannot be read: {reason}{remedy}") from error


def publish(source: Path, copy: Path) -> None:
    """Copy a file whole.

    Raises
    ------
    UserError
        The source is missing, or the copy cannot be written.
    """
    with replacing(copy) as temporary:
        shutil.copyfile(require_file(source), temporary)
