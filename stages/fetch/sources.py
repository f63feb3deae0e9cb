"""Reads a data set from the source that params.yaml names: a folder, an address, or OpenML."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from stages.fetch import connection, file_kinds, idx
from stages.fetch.checks import Part, join
from stages.fetch.download import deadline, download, split_address
from stages.fetch.openml import from_openml
from stages.shared.errors import UserError
from stages.shared.files.datasets import Raw
from stages.shared.params.fetch_section import OpenML

# The names of MNIST's files; Fashion-MNIST, KMNIST and others keep them.
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

GZIP_MAGIC = b"\x1f\x8b"

# From the name of a file to the open file, and its path or address for messages.
Opener = Callable[[str], AbstractContextManager[tuple[BinaryIO, str]]]
Parser = Callable[[BinaryIO, str, int | None], NDArray[np.uint8]]


def fetch(source: str, openml: OpenML | None) -> tuple[Raw, str]:
    """Read the data set.

    Parameters
    ----------
    source : str
        A folder, an address, or "openml".
    openml : OpenML or None
        Which data set of OpenML, if `source` is "openml".

    Returns
    -------
    raw : Raw
        The data set, its own training rows first.
    shown : str
        Its name in messages.

    Raises
    ------
    UserError
        The data set cannot be read, or is not valid.
    """
    if source == "openml" and openml is not None:
        return from_openml(openml)
    if "://" in source:
        return from_address(source), source
    return from_folder(source), source


def from_folder(folder: str) -> Raw:
    """Read the four IDX files of a folder, gzipped or not; `~` is the home folder."""

    @contextmanager
    def opened(name: str) -> Iterator[tuple[BinaryIO, str]]:
        found = next((path / spelling for spelling in spellings(name) if (path / spelling).is_file()), None)
        if found is None:
            raise UserError(f"{path} has none of the files {', '.join(spellings(name))}; fetch.source must have one")
        with found.open("rb") as file:
            yield file, str(found)

    try:
        path = Path(folder).expanduser()
        if path.is_file():
            with path.open("rb") as file:
                start = file.read(file_kinds.NEEDED)
            raise UserError(f"fetch.source '{folder}' is not a folder, but {file_kinds.describe(start)}")
        if not path.is_dir():
            raise UserError(f"fetch.source '{folder}' is not a folder, an http(s) address, or openml")
        return _read_all(opened, folder)
    except (OSError, RuntimeError) as error:  # no permission, too long a name; an unknown user after ~
        raise UserError(f"fetch.source '{folder}' cannot be read: {error}") from error


def from_address(address: str) -> Raw:
    """Download the four IDX files below an address, gzipped or not, and read them."""
    parts = split_address(address, "fetch.source")

    @contextmanager
    def opened(name: str) -> Iterator[tuple[BinaryIO, str]]:
        paths = [f"{parts.path.rstrip('/')}/{spelling}" for spelling in spellings(name)]
        addresses = [parts._replace(path=path, fragment="").geturl() for path in paths]
        with tempfile.TemporaryFile() as file:  # has no name, so nothing is left when the process is killed
            found = next((each for each in addresses if download(each, file, "fetch.source").ok), None)
            if found is None:
                raise UserError(
                    f"none of {', '.join(addresses)} exists (404 Not Found){connection.through(addresses[0])}; "
                    "fetch.source must have one"
                )
            yield file, found

    with deadline(address):
        return _read_all(opened, address)


def spellings(name: str) -> list[str]:
    """Return the names that a file of MNIST has: with .gz or without, with a hyphen or a dot before "idx"."""
    dotted = name.replace("-idx", ".idx")
    return [f"{name}.gz", name, f"{dotted}.gz", dotted]


def _read_all(opened: Opener, source: str) -> Raw:
    try:
        train = Part(_read(opened, TRAIN_IMAGES, idx.read_images), _read(opened, TRAIN_LABELS, idx.read_labels))
        test = Part(_read(opened, TEST_IMAGES, idx.read_images), _read(opened, TEST_LABELS, idx.read_labels))
        images, labels = join(train, test, source)
    except MemoryError as error:
        raise UserError(f"{source}: out of memory: the images do not fit") from error
    return Raw(images, labels, train_rows=len(train.labels))


def _read(opened: Opener, name: str, parse: Parser) -> NDArray[np.uint8]:
    with opened(name) as (file, shown):
        # By content, not by name: some servers decompress a .gz file on the way.
        compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if not compressed:
            return parse(file, shown, None)
        try:
            with gzip.GzipFile(fileobj=file) as decompressed:
                return parse(cast(BinaryIO, decompressed), shown, size)
        except EOFError as error:
            raise UserError(f"{shown} is truncated: the gzip data have no end; fetch the file again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise UserError(f"{shown} is damaged: bad gzip data ({error}); fetch the file again") from error
