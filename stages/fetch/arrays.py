"""Converts arrays of any source to grey images, square and of one size, and to labels."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.fetch.checks import size
from stages.shared.errors import UserError
from stages.shared.files.picture_files import make_square
from stages.shared.params.fetch_section import Fetch
from stages.shared.process.console import progress, say

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue: ITU-R BT.601, as Pillow
SHAPES = "(n, height, width), (n, height, width, 1), (n, height, width, 3) or (n, height * width)"


def as_grey_images(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Convert an array of one of the usual shapes to grey images.

    Parameters
    ----------
    array : ndarray
        Images of one of `SHAPES`; three channels are red, green and blue, and are turned to grey.
    name : str
        Name of the array in errors.

    Returns
    -------
    ndarray of numbers, shape (n, height, width)
        uint8 if all values are integers in 0-255, else a type that holds them.

    Raises
    ------
    UserError
        It has another shape, no images, or no numbers.
    """
    if array.dtype.kind not in "buif":
        raise UserError(f"{name} has values of type {array.dtype}; grey values must be numbers")
    if array.ndim == 2:
        try:
            array = as_squares(array)
        except ValueError as error:
            raise UserError(f"{name}: {error}") from error
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        raise UserError(f"{name} has the shape {array.shape}; images must have the shape {SHAPES}")
    if not array.size:
        raise UserError(f"{name} has the shape {array.shape}; there must be at least one image")
    array = _narrowed(array)
    if array.ndim == 3:
        return array
    if array.shape[3] == 1:
        return array[..., 0]
    say(f"fetch: {name} has colours, which are turned to grey")
    if array.dtype != np.uint8:
        return np.minimum(array @ LUMA, array.max())  # rounding must not make white lighter than it was
    # All images as one, in one call.
    rows = Image.fromarray(np.ascontiguousarray(array).reshape(-1, *array.shape[2:]))
    return np.asarray(rows.convert("L")).reshape(array.shape[:3])


def as_label_list(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels of shape (n,) or (n, 1) as numbers or strings, (n,); raises UserError for other arrays."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise UserError(
            f"{name} has the shape {array.shape}; there must be one label per image, so the shape (n,) or (n, 1)"
        )
    if array.dtype.kind not in "buifUS":
        raise UserError(f"{name} has values of type {array.dtype}; labels must be numbers or strings")
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array, "utf-8")
        except UnicodeDecodeError as error:
            raise UserError(f"{name} has labels that are not text in UTF-8: {error}") from error
    return array


def as_one_size(images: NDArray[Any], settings: Fetch, source: str) -> NDArray[Any]:
    """Resize images as `fetch.size` and `fetch.square` say.

    Parameters
    ----------
    images : ndarray of numbers, shape (n, height, width)
        Grey values.
    settings : Fetch
        Section `fetch` of params.yaml.
    source : str
        Name of the data set in errors.

    Returns
    -------
    ndarray of numbers, shape (n, side, side)
        `images` itself if nothing is to be changed.

    Raises
    ------
    UserError
        They are not square, and `fetch.size` is not set.
    """
    height, width = images.shape[1:]
    if settings.size is None and height != width:
        raise UserError(
            f"{source}: the images have {size(images)} pixels and must be square; set fetch.size to a height and width "
            "in pixels; fetch.square (pad, crop or stretch) says how they become square"
        )
    if settings.size in (None, height) and height == width:
        return images
    assert settings.size is not None
    resized = np.empty(
        (len(images), settings.size, settings.size), np.uint8 if images.dtype == np.uint8 else np.float32
    )
    with progress("resizing", len(images), "images") as advance:
        for image, result in zip(images, resized, strict=True):
            result[:] = resize(image, settings)
            advance(1)
    return resized


def resize(image: NDArray[Any], settings: Fetch) -> NDArray[Any]:
    """Return an image, (height, width), resized as `fetch.size` and `fetch.square` say, if they do."""
    if settings.size is None:
        return image
    square = make_square(image.astype(np.float32), settings.size, settings.square)
    return np.rint(square).astype(np.uint8) if image.dtype == np.uint8 else square


def as_squares(columns: NDArray[Any]) -> NDArray[Any]:
    """Reshape a table with one column per pixel into square images.

    Parameters
    ----------
    columns : ndarray of numbers, shape (n, side * side)
        Grey values, row by row of the image.

    Returns
    -------
    ndarray, shape (n, side, side)
        A view of `columns`.

    Raises
    ------
    ValueError
        There are no rows, or the number of columns is not a square number.
    """
    rows, pixels = columns.shape
    side = math.isqrt(pixels)
    if not rows or not pixels or side * side != pixels:
        raise ValueError(
            f"{rows:,} rows of {pixels:,} pixel columns are not square images; there must be at least one row and a "
            "square number of columns, such as 784 for 28 x 28"
        )
    return columns.reshape(rows, side, side)


def as_labels(target: NDArray[Any]) -> NDArray[Any]:
    """Convert labels to the narrowest of three types that holds them all.

    Parameters
    ----------
    target : ndarray of float64 or of str objects, shape (n,)
        Labels as numbers or strings.

    Returns
    -------
    ndarray, shape (n,)
        uint8 if all are integers in 0-255 ("5" counts as one, "05" does not), int64 if all are integers, else
        fixed-width strings.

    Raises
    ------
    ValueError
        A label is missing.
    """
    if target.dtype.kind == "f" and np.isnan(target).any():
        raise ValueError(f"{np.isnan(target).sum():,} rows have no label; each must have one")
    if target.dtype.kind == "f" and np.array_equal(target, np.rint(target)):
        target = target.astype(np.int64)
    names, codes = np.unique([str(label) for label in target.tolist()], return_inverse=True)
    try:
        numbers = np.array([int(name) for name in names], dtype=np.int64)
    except (ValueError, OverflowError):
        return names[codes]
    if not np.array_equal(numbers.astype(str), names):
        return names[codes]
    if numbers.min() >= 0 and numbers.max() <= 255:
        numbers = numbers.astype(np.uint8)
    return numbers[codes]


def _narrowed(array: NDArray[Any]) -> NDArray[Any]:
    """Return integers in 0-255 as uint8, which takes an eighth of the memory of int64; other arrays unchanged."""
    if array.dtype == np.bool_ or (array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255):
        return array.astype(np.uint8)
    return array
