"""Converts the images of a source to bytes: white is 255, light digits on a dark ground, upright."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError
from stages.shared.params.fetch_section import Fetch

LIGHT = 0.6 * 255  # of the edges' median: paper is lighter than that, black grounds and most photographs are not
# Vertical spread of the ink / horizontal spread: MNIST has 1.45, transposed 0.69.
WIDE, WIDE_EMNIST = 0.8, 1.0
SAMPLE = 10_000  # images
INK = 0.25 * 255  # lower grey values are not part of a drawing
# Longer side of the drawing / side of the image: MNIST has 0.71.
SMALLEST, LARGEST = 0.6, 0.8


def to_bytes(values: NDArray[Any], settings: Fetch, source: str) -> NDArray[np.uint8]:
    """Convert images as `fetch.max_value`, `fetch.inverted` and `fetch.transposed` say.

    Parameters
    ----------
    values : ndarray of numbers, shape (n, side, side)
        Grey values, 0 to `max_value`.
    settings : Fetch
        Section `fetch` of params.yaml.
    source : str
        Name of the data set in errors.

    Returns
    -------
    ndarray of uint8, shape (n, side, side)
        Grey values, 0-255; `values` itself if nothing is to be changed.

    Raises
    ------
    UserError
        A value is negative, missing or above `max_value`, or the largest is at most half of it.
    """
    white = settings.max_value
    key = f"fetch.max_value in params.yaml is {white:g}"
    largest = values.max()  # NaN if there is any
    if not (values.min() >= 0 and largest <= white):
        image, row, column = np.argwhere(~((values >= 0) & (values <= white)))[0]
        raise UserError(
            f"{source}: the grey value of image {image + 1:,}, row {row + 1}, column {column + 1} is "
            f"{values[image, row, column]:g}, but {key}; grey values must be numbers from 0 to the value of white, "
            f"and the largest is {np.nanmax(values):g}"
        )
    if largest <= white / 2:
        remedy = f"set fetch.max_value: {math.ceil(largest)}" if largest else "every image is empty"
        raise UserError(f"{source}: the largest grey value is {largest:g}, but {key}; {remedy}")
    grey: NDArray[np.uint8]
    if values.dtype != np.uint8:
        grey = np.rint(values * 255.0 / white).astype(np.uint8)
    elif white == 255:
        grey = values
    else:
        grey = np.minimum(np.rint(np.arange(256) * 255.0 / white), 255).astype(np.uint8)[values]
    if settings.inverted:
        grey = 255 - grey
    return np.ascontiguousarray(grey.transpose(0, 2, 1)) if settings.transposed else grey


def notes(
    images: NDArray[np.uint8], train_rows: int | None, largest: float, settings: Fetch, source: str
) -> Iterator[str]:
    """Describe images that look as if a setting were wrong; not every such data set is.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, side, side)
        The result of `to_bytes`.
    train_rows : int or None
        Number of images in the data set's own training part, which comes first; None if it has none.
    largest : float
        Largest grey value of the source.
    settings, source
        As for `to_bytes`.

    Yields
    ------
    str
        What was seen and the setting that would change it.
    """
    if math.ceil(largest) < settings.max_value:
        yield (
            f"the largest grey value is {largest:g}, not {settings.max_value:g}; if this is white, set fetch.max_value:"
            f" {math.ceil(largest)}"
        )
    if train_rows is not None:
        train, test = images[:train_rows], images[train_rows:]
        if min(train.max(), test.max()) <= images.max() / 2 or (edges(train) > LIGHT) != (edges(test) > LIGHT):
            yield (
                "the two parts of the data set differ: the largest grey value and the median at the edges are "
                f"{train.max()} and {edges(train):g} of 255 in the training part, {test.max()} and {edges(test):g} "
                "in the test part; convert one of them, since fetch.max_value and fetch.inverted apply to both"
            )
            return
    if edges(images) > LIGHT:
        yield (
            f"the ground is light (the median at the edges is {edges(images):g} of 255); if these are dark digits on a "
            f"light ground, set fetch.inverted: {str(not settings.inverted).lower()}"
        )
        return
    sample = _sample(images)
    vertical, horizontal = _spread(sample.sum(axis=2)), _spread(sample.sum(axis=1))
    if vertical < horizontal * (WIDE_EMNIST if "emnist" in source.lower() else WIDE):
        yield (
            "the images are wider than high, and handwriting is not; if they lie on their side, as EMNIST's do, set "
            f"fetch.transposed: {str(not settings.transposed).lower()}"
        )
    extent = _extent(sample)
    if settings.preparation == "mnist" and not SMALLEST <= extent <= LARGEST:
        yield (
            f"the drawings take {extent:.0%} of the height or width of the images, MNIST's digits 71%; if they were "
            "not scaled and centred as these, set fetch.preparation: as-is, so that inference.predict does not do so"
        )


def _sample(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images[:: math.ceil(len(images) / SAMPLE)]


def edges(images: NDArray[np.uint8]) -> float:
    """Return the median grey value of the pixels at the edges, 0-255."""
    sample = _sample(images)
    return float(np.median(np.concatenate([sample[:, [0, -1]], sample[:, :, [0, -1]].transpose(0, 2, 1)])))


def _extent(images: NDArray[np.uint8]) -> float:
    """Return the median of the longer sides of what is drawn, as a fraction of the side of the images."""
    sides = []
    for image in images[:: math.ceil(len(images) / 1000)]:
        rows, columns = np.nonzero(image > INK)
        sides.append(int(max(np.ptp(rows), np.ptp(columns))) + 1 if len(rows) else 0)
    return float(np.median(sides)) / images.shape[1]


def _spread(sums: NDArray[Any]) -> float:
    """Return the mean standard deviation of profiles, (n, side), around their centres, in pixels."""
    weights = sums / np.maximum(sums.sum(axis=1, keepdims=True), 1)
    position = np.arange(sums.shape[1])
    centre = (weights * position).sum(axis=1, keepdims=True)
    return float(np.sqrt((weights * (position - centre) ** 2).sum(axis=1)).mean())
