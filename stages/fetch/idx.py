"""Parses IDX, the binary format in which MNIST and the data sets made after it are published.

A file is a magic number (two zero bytes, 08 for unsigned bytes, the number of axes), the length of each axis
as a big-endian 32-bit integer, then the values, the last axis running fastest. Described by Yann LeCun at
http://yann.lecun.com/exdb/mnist/, "File formats for the MNIST database".
"""

import math
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError

IMAGES = bytes.fromhex("00000803")
LABELS = bytes.fromhex("00000801")

LARGEST = 4 * 2**30  # bytes; the whole set is held in memory, and as float32 later
STEP = 2**24  # bytes that are read at once: a header that promises too much is to cost no memory
# What a gzip file may inflate to without suspicion: bytes, or this many times its size. Digits reach 6, a bomb 1,000.
UNSUSPICIOUS, DENSEST = 2**26, 500


def read_images(stream: BinaryIO, name: str, compressed: int | None = None) -> NDArray[np.uint8]:
    """Parse a file of square grey images.

    Parameters
    ----------
    stream : binary file
        The uncompressed content. A stream and not bytes, because a small compressed file may inflate without
        end: at most one byte more than the header promises is taken from it.
    name : str
        What to call the file in an error.
    compressed : int, optional
        Size of the compressed file in bytes, if it is one.

    Returns
    -------
    ndarray of uint8, shape (n, side, side)
        Grey values, 0-255.

    Raises
    ------
    UserError
        The magic number is not that of images, there are fewer or more bytes than the header promises, it
        promises more than such a file can hold, there are no images, or they are empty or not square.
    """
    count, height, width = _header(stream, name, IMAGES, "images")
    if height != width or not height:
        raise UserError(f"{name}: its images are {height} x {width} pixels; they must be square and not empty")
    return _values(stream, name, (count, height, width), compressed)


def read_labels(stream: BinaryIO, name: str, compressed: int | None = None) -> NDArray[np.uint8]:
    """Parse a file of labels.

    Parameters
    ----------
    stream : binary file
        The uncompressed content, as for `read_images`.
    name : str
        What to call the file in an error.
    compressed : int, optional
        Size of the compressed file in bytes, if it is one.

    Returns
    -------
    ndarray of uint8, shape (n,)
        Labels, 0-255.

    Raises
    ------
    UserError
        The magic number is not that of labels, there are fewer or more bytes than the header promises, it
        promises more than such a file can hold, or there are no labels.
    """
    return _values(stream, name, _header(stream, name, LABELS, "labels"), compressed)


def _header(stream: BinaryIO, name: str, magic: bytes, what: str) -> tuple[int, ...]:
    found = stream.read(len(magic))
    if not found:
        raise UserError(f"{name} is empty; it must be an IDX file of {what}")
    if found != magic:
        other = {IMAGES: ", which is an IDX file of images", LABELS: ", which is an IDX file of labels"}
        raise UserError(
            f"{name} is no IDX file of {what}: it begins with the bytes {found.hex(' ')}"
            f"{other.get(found, '')}; they must be {magic.hex(' ')}"
        )
    axes = magic[-1]
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise UserError(
            f"{name} breaks off in its header: it has {4 + len(lengths)} bytes, "
            f"and the header of {what} alone takes {4 + 4 * axes}"
        )
    shape: tuple[int, ...] = struct.unpack(f">{axes}I", lengths)
    if not shape[0]:
        raise UserError(f"{name}: its header promises no {what}; there must be at least one")
    return shape


def _values(stream: BinaryIO, name: str, shape: tuple[int, ...], compressed: int | None) -> NDArray[np.uint8]:
    promised = math.prod(shape)
    axes = f" ({' x '.join(f'{length:,}' for length in shape)})" if len(shape) > 1 else ""
    described = f"{promised:,} bytes{axes}"
    if promised > LARGEST:
        raise UserError(f"{name}: its header promises {described}; at most {LARGEST:,} can be read")
    if compressed is not None and promised > max(UNSUSPICIOUS, DENSEST * compressed):
        raise UserError(
            f"{name}: its header promises {described}, more than {DENSEST} times the {compressed:,} bytes it has "
            "compressed; no pictures are that empty"
        )
    content = bytearray()
    while part := stream.read(min(STEP, promised + 1 - len(content))):
        content += part
    if len(content) < promised:
        raise UserError(f"{name} breaks off: its header promises {described}, and {len(content):,} follow")
    if len(content) > promised:
        raise UserError(f"{name} is too long: its header promises {described}, and more follow")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
