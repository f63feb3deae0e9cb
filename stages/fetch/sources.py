"""Reads a data set from where params.yaml says: a folder, an address, or OpenML."""

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import SplitResult

import numpy as np
from numpy.typing import NDArray

from stages.fetch import idx, network
from stages.fetch.checks import Part, join
from stages.fetch.download import download_first, session
from stages.fetch.openml import from_openml
from stages.shared.errors import UserError
from stages.shared.files.datasets import Raw
from stages.shared.params.fetch_section import OpenML

# The names under which MNIST is published; EMNIST, Fashion-MNIST, KMNIST and others keep them.
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

GZIP_MAGIC = b"\x1f\x8b"


class Found(NamedTuple):
    """A file to read, and what to call it in an error: the path or address that it came from."""

    path: Path
    shown: str


def fetch(source: str, openml: OpenML | None) -> tuple[Raw, str]:
    """Read the data set.

    Parameters
    ----------
    source : str
        A folder, an address, or "openml".
    openml : OpenML or None
        Which data set, where the source is "openml".

    Returns
    -------
    raw : Raw
        The data set, its own train rows first.
    shown : str
        What to call it in a message.

    Raises
    ------
    UserError
        It cannot be had, or is not what it should be.
    """
    if source == "openml" and openml is not None:
        return from_openml(openml.name, openml.version, openml.data_id, openml.train_rows, openml.server)
    if network.is_address(source):
        return from_address(source), source
    return from_folder(source), source


def from_folder(folder: str) -> Raw:
    """Read the four IDX files of a folder, gzipped or not; `~` is the user's own."""

    def find(name: str) -> Found:
        for spelling in spellings(name):
            if (path / spelling).is_file():
                return Found(path / spelling, str(path / spelling))
        raise UserError(f"{path} has no {', '.join(spellings(name))}; the folder must hold one of these files")

    try:
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise UserError(f"fetch.source '{folder}' is no folder; write a folder, an http(s) address, or openml")
        return _read_all(find, folder)
    except (OSError, RuntimeError) as error:  # no permission, too long a name; no such user after ~
        raise UserError(f"fetch.source '{folder}' cannot be read: {error}") from error


def from_address(address: str) -> Raw:
    """Download the four IDX files below an address, gzipped or not, and read them."""
    parts = network.split_address(address, "fetch.source")
    with _temporary_folder() as folder, session() as http:

        def find(name: str) -> Found:
            path = Path(folder) / name
            return Found(path, download_first(http, [_below(parts, s) for s in spellings(name)], path))

        return _read_all(find, address)


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory()
    except OSError as error:
        raise UserError(
            f"cannot make a temporary folder for the downloads: {error.strerror}; "
            "set the environment variable TMPDIR to a folder that has room"
        ) from error


def spellings(name: str) -> list[str]:
    """Return the names a file of MNIST goes by: with .gz or without, with a hyphen or a dot before "idx"."""
    dotted = name.replace("-idx", ".idx")
    return [f"{name}.gz", name, f"{dotted}.gz", dotted]


def _below(address: SplitResult, name: str) -> str:
    return address._replace(path=f"{address.path.rstrip('/')}/{name}", fragment="").geturl()


def _read_all(find: Callable[[str], Found], source: str) -> Raw:
    try:
        train = Part(_read(find(TRAIN_IMAGES), idx.read_images), _read(find(TRAIN_LABELS), idx.read_labels))
        test = Part(_read(find(TEST_IMAGES), idx.read_images), _read(find(TEST_LABELS), idx.read_labels))
        images, labels = join(train, test, source)
    except MemoryError as error:
        raise UserError(f"{source}: these images do not fit into the memory at hand") from error
    return Raw(images, labels, train_rows=len(train.labels))


def _read(file: Found, parse: Callable[[BinaryIO, str, int | None], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    with _opened(file) as (stream, compressed):
        return parse(stream, file.shown, compressed)


@contextmanager
def _opened(file: Found) -> Iterator[tuple[BinaryIO, int | None]]:
    """Open a file to read what it holds; the number is its size where that is compressed."""
    try:
        with file.path.open("rb") as raw:
            # By content, not by name: some servers unpack a .gz file on the way.
            if raw.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
                raw.seek(0)
                with gzip.GzipFile(fileobj=raw) as inflated:
                    yield cast(BinaryIO, inflated), file.path.stat().st_size
            else:
                raw.seek(0)
                yield raw, None
    except EOFError as error:
        raise UserError(f"{file.shown} breaks off: its gzip data have no end; fetch the file again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        # What GzipFile says of bytes that follow the end and begin no further member.
        trailing = str(error).startswith("Not a gzipped file")
        fault = "bytes that do not belong there follow its gzip data" if trailing else f"bad gzip data ({error})"
        raise UserError(f"{file.shown} is damaged: {fault}; fetch the file again") from error
    except OSError as error:
        raise UserError(f"cannot read {file.shown}: {error.strerror or error}") from error
