"""Parses IDX, the binary format of MNIST and of the data sets modelled on it.

A file consists of a magic number (two zero bytes, 08 for unsigned bytes, the number of axes), the length of each axis
as a big-endian 32-bit integer, and the values in C order. Yann LeCun describes it at
http://yann.lecun.com/exdb/mnist/, "File formats for the MNIST database".
"""

import math
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from stages.fetch import file_kinds
from stages.shared.errors import UserError

IMAGES = bytes.fromhex("00000803")
LABELS = bytes.fromhex("00000801")

LARGEST = 4 * 2**30  # bytes; the whole set is kept in memory, and as float32 later
STEP = 2**24  # bytes per read: a header that declares too many values must not cost memory
# A gzip file may hold this many bytes, or this many times its size if that is more. Digits reach 6 times, a gzip bomb
# 1,000 times.
MOST_UNCOMPRESSED, LARGEST_RATIO = 2**26, 500


def read_images(stream: BinaryIO, name: str, compressed: int | None = None) -> NDArray[np.uint8]:
    """Parse an IDX file of grey images.

    Parameters
    ----------
    stream : binary file
        The uncompressed content; at most one byte more than the header declares is read, so a gzip bomb is not
        decompressed.
    name : str
        Name of the file in errors.
    compressed : int, optional
        Size of the compressed file in bytes, if it is compressed.

    Returns
    -------
    ndarray of uint8, shape (n, height, width)
        Grey values, 0-255.

    Raises
    ------
    UserError
        Wrong magic number, fewer or more bytes than the header declares, a size that such a file cannot have, no
        images, or images without pixels.
    """
    count, height, width = _header(stream, name, IMAGES, "images")
    if not height or not width:
        raise UserError(f"{name}: the images have {height} x {width} pixels; they must not be empty")
    return _values(stream, name, (count, height, width), compressed)


def read_labels(stream: BinaryIO, name: str, compressed: int | None = None) -> NDArray[np.uint8]:
    """Parse an IDX file of labels: uint8, (n,), 0-255; parameters and errors as for `read_images`."""
    return _values(stream, name, _header(stream, name, LABELS, "labels"), compressed)


def _header(stream: BinaryIO, name: str, magic: bytes, content: str) -> tuple[int, ...]:
    start = stream.read(len(magic))
    if not start:
        raise UserError(f"{name} is empty; it must be an IDX file of {content}")
    if start != magic:
        start += stream.read(file_kinds.NEEDED)
        raise UserError(f"{name} is not an IDX file of {content}, but {file_kinds.describe(start)}")
    axes = magic[-1]
    lengths = stream.read(4 * axes)
    if len(lengths) < 4 * axes:
        raise UserError(
            f"{name} is truncated: it has {4 + len(lengths)} bytes, but the header of {content} has {4 + 4 * axes}"
        )
    shape: tuple[int, ...] = struct.unpack(f">{axes}I", lengths)
    if not shape[0]:
        raise UserError(f"{name}: the header declares 0 {content}; there must be at least one")
    return shape


def _values(stream: BinaryIO, name: str, shape: tuple[int, ...], compressed: int | None) -> NDArray[np.uint8]:
    declared = math.prod(shape)
    axes = f" ({' x '.join(f'{length:,}' for length in shape)})" if len(shape) > 1 else ""
    described = f"{declared:,} bytes{axes}"
    if declared > LARGEST:
        raise UserError(f"{name}: the header declares {described}; at most {LARGEST:,} are supported")
    if compressed is not None and declared > max(MOST_UNCOMPRESSED, LARGEST_RATIO * compressed):
        raise UserError(
            f"{name}: the header declares {described}, more than {LARGEST_RATIO} times the {compressed:,} bytes of "
            "the compressed file, which real images never reach"
        )
    content = bytearray()
    while part := stream.read(min(STEP, declared + 1 - len(content))):
        content += part
    if len(content) < declared:
        raise UserError(f"{name} is truncated: the header declares {described}, found {len(content):,}")
    if len(content) > declared:
        raise UserError(f"{name} is too long: the header declares {described}, more follow")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)
