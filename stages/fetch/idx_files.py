"""Reads a data set of four IDX files named as MNIST's, from a folder or an address."""

import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from stages.fetch import connection, idx
from stages.fetch.checks import Part, join
from stages.fetch.download import download
from stages.shared.errors import UserError
from stages.shared.files.datasets import Raw

# The names of MNIST's files; Fashion-MNIST, KMNIST and others keep them.
TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"

GZIP_MAGIC = b"\x1f\x8b"

# From the name of a file to the open file, and its path or address for messages.
Opener = Callable[[str], AbstractContextManager[tuple[BinaryIO, str]]]
Parser = Callable[[BinaryIO, str, int | None], NDArray[np.uint8]]


def in_folder(path: Path) -> bool:
    """Return whether a folder has one of the four files."""
    names = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
    return any((path / spelling).exists() for name in names for spelling in spellings(name))


def from_folder(path: Path) -> Raw:
    """Read the four IDX files of a folder, gzipped or not."""

    @contextmanager
    def opened(name: str) -> Iterator[tuple[BinaryIO, str]]:
        found = next((path / spelling for spelling in spellings(name) if (path / spelling).is_file()), None)
        if found is None:
            raise UserError(f"{path} has none of the files {', '.join(spellings(name))}; fetch.source must have one")
        with found.open("rb") as file:
            yield file, str(found)

    return _read_all(opened, str(path))


def from_address(address: str) -> Raw:
    """Download the four IDX files below an address, gzipped or not, and read them."""
    parts = urlsplit(address)

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

    return _read_all(opened, address)


def spellings(name: str) -> list[str]:
    """Return the names that a file of MNIST has: with .gz or without, with a hyphen or a dot before "idx"."""
    dotted = name.replace("-idx", ".idx")
    return [f"{name}.gz", name, f"{dotted}.gz", dotted]


def _read_all(opened: Opener, source: str) -> Raw:
    train = Part(_read(opened, TRAIN_IMAGES, idx.read_images), _read(opened, TRAIN_LABELS, idx.read_labels))
    test = Part(_read(opened, TEST_IMAGES, idx.read_images), _read(opened, TEST_LABELS, idx.read_labels))
    return Raw(*join(train, test, source), train_rows=len(train.labels))


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
