"""Pictures of images: some of the data set, and the most confident errors of a model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stages.shared.charts.image_grid import image_map
from stages.shared.charts.picture_style import GREY, class_labels, fitted, house_style, sheet, text_width, wrapped
from stages.shared.files.predictions import Predictions, ScoreKind

WIDTH = 960  # at most, of a row of images, in pixels of the PNG
ROWS, COLUMNS = 5, 10
PADDING = 2  # pixels of the images
LINE = 17  # pixels of the PNG from one line of a caption to the next
WIDEST = 144  # at most, of a caption, in pixels of the PNG
GAP = 8  # pixels of the PNG between two captions


@house_style()
def sample_figure(images: NDArray[Any], *, title: str) -> Figure:
    """Draw some images of the data set, dark on white.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        Grey values, integers 0-255 or floats 0-1; n is at most 50.
    title : str
        One line.

    Raises
    ------
    ValueError
        There are more than 50 images.
    """
    image = image_map(images, ROWS, COLUMNS, padding=PADDING)
    scale = max(1, WIDTH // image.shape[1])
    figure, axes = sheet(image.shape[1] * scale, image.shape[0] * scale, title=title)
    _draw(axes, image, images.dtype)
    return figure


def most_confident_errors(
    labels: NDArray[np.int64], test: Predictions, at_most: int = ROWS * COLUMNS
) -> tuple[NDArray[np.intp], NDArray[np.float64] | None]:
    """Find the errors of a model with the highest confidence.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        Actual class codes.
    test : Predictions
        The model's predictions of the same images.
    at_most : int
        How many errors to return.

    Returns
    -------
    rows : ndarray of int
        Errors, the most confident first; ties, and all errors of a model without scores, in the order of the data.
    confidence : ndarray of float64, or None
        Probability of the predicted class; for decision values, the margin by which it exceeds the actual class;
        None for a model without scores.
    """
    rows = np.flatnonzero(labels != test.codes)
    if test.kind == "none":
        return rows[:at_most], None
    confidence = test.scores[rows, test.codes[rows]].astype(np.float64)
    if test.kind == "decision":
        confidence = confidence - test.scores[rows, labels[rows]]
    order = np.argsort(-confidence, kind="stable")[:at_most]
    return rows[order], confidence[order]


@house_style()
def wrong_figure(
    images: NDArray[Any],
    actual: NDArray[Any],
    predicted: NDArray[Any],
    confidence: NDArray[Any] | None,
    *,
    title: str,
    names: Sequence[str],
    kind: ScoreKind,
    errors: int,
    total: int,
) -> Figure:
    """Draw wrongly classified images, each with its actual and its predicted class and the confidence.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        The images in the order to draw them, integers 0-255 or floats 0-1; 0 to 50.
    actual, predicted : ndarray of int, shape (n,)
        Their class codes.
    confidence : ndarray of float, shape (n,), or None
        Probability (0-1) or margin of each; None for a model without scores.
    title : str
        One line.
    names : sequence of str
        Class names in the order of their codes.
    kind : {"probability", "decision", "none"}
        What the scores of the model are; the margin of decision values is called so.
    errors, total : int
        Number of all errors, and of test images.

    Raises
    ------
    ValueError
        There are more than 50 images.
    """
    n, height, width = images.shape
    labels = class_labels(names)
    among = f" among {total:,} images"
    if n == 0:
        figure, axes = sheet(608, 120, title=title)
        axes.text(0.5, 0.5, f"no errors{among}", size=14, color=GREY, ha="center", va="center")
        return figure
    what = "actual → predicted" + {"probability": ", confidence", "decision": ", margin", "none": ""}[kind]
    count = f"{'all' if n == errors else f'{n} of'} {errors:,} errors{among}"
    # "4 → 9" takes one line; longer names take up to three lines each. After U+200E, a name that is written from right
    # to left stays on the right of the arrow.
    short = max(map(len, labels)) <= 3
    captions = [
        [f"{labels[a]} \u200e→ {labels[p]}"]
        if short
        else wrapped(labels[a], WIDEST, 9.0, 3) + wrapped(f"\u200e→\u00a0{labels[p]}", WIDEST, 9.0, 3)
        for a, p in zip(actual, predicted, strict=True)
    ]
    values = [""] * n if confidence is None else [f"{value:.3f}" for value in confidence]

    rows, columns = min(ROWS, -(-n // COLUMNS)), min(n, COLUMNS)
    scale = max(1, WIDTH // (COLUMNS * (width + PADDING)))
    widest = max(text_width(line, 9.0) for lines in captions for line in lines)
    # In pixels of the images: space below for the caption, and on both sides for wide names.
    below = -(-(LINE * (max(map(len, captions)) + (confidence is not None)) + 12) // scale)
    beside = max(0, -(-int(min(widest, WIDEST) + GAP - width * scale) // (2 * scale)))
    cells = np.pad(images, ((0, 0), (0, below), (beside, beside)))
    image = image_map(cells, rows, columns, padding=PADDING)
    size = (image.shape[1] * scale, image.shape[0] * scale)
    figure, axes = sheet(*size, title=title, note=f"{count}; below each: {what}")
    _draw(axes, image, images.dtype)
    for k in range(n):
        row, column = divmod(k, columns)
        x = column * (cells.shape[2] + PADDING) + cells.shape[2] / 2 - 0.5
        y = row * (cells.shape[1] + PADDING) + height - 0.5 + (LINE / 2 + 4) / scale
        for line in captions[k]:
            text, points = fitted(line, cells.shape[2] * scale - GAP / 2, 9.0)
            axes.text(x, y, text, size=points, ha="center", va="center")
            y += LINE / scale
        axes.text(x, y, values[k], size=8.5, color=GREY, ha="center", va="center")
    return figure


def _draw(axes: Axes, image: NDArray[np.float64], dtype: np.dtype[Any]) -> None:
    white_to_black = 255 if np.issubdtype(dtype, np.integer) else 1
    axes.imshow(image, cmap="binary", vmin=0, vmax=white_to_black, interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
