"""Pictures of digits: some of the data set, and those that a model got wrong with the most confidence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stages.plot_weights.figures import GREY, class_labels, fitted, house_style, sheet, text_width
from stages.plot_weights.image_maps import image_map

WIDTH = 960  # pixels of the PNG that a row of images fills at most, where one a pixel is enough
ROWS, COLUMNS = 5, 10
PADDING = 2  # pixels of the images
LINE = 17  # pixels of the PNG from one line of a caption to the next
WIDEST = 144  # pixels of the PNG that a caption takes at most
GAP = 8  # pixels of the PNG between two captions


@house_style()
def sample_figure(images: NDArray[Any], *, title: str, rows: int = ROWS, columns: int = COLUMNS) -> Figure:
    """Draw some images of the data set, dark on white.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        Grey values, integers 0-255 or floats 0-1; n is at most `rows * columns`.
    title : str
        One line.
    rows, columns : int
        The grid.

    Raises
    ------
    ValueError
        There are more images than cells.
    """
    image = image_map(images, rows, columns, padding=PADDING)
    scale = max(1, WIDTH // image.shape[1])
    figure, axes = sheet(image.shape[1] * scale, image.shape[0] * scale, title=title)
    _draw(axes, image, images.dtype)
    return figure


def confidently_wrong(
    actual: NDArray[Any], predicted: NDArray[Any], scores: NDArray[Any] | None, at_most: int = ROWS * COLUMNS
) -> tuple[NDArray[np.intp], NDArray[np.float64] | None, str]:
    """Find the errors that a model was surest of.

    Parameters
    ----------
    actual, predicted : ndarray of int, shape (n,)
        Class codes.
    scores : ndarray of float, shape (n, classes), or None
        Probabilities or decision values.
    at_most : int
        How many to return.

    Returns
    -------
    rows : ndarray of int
        Errors, the surest first; equals, and all of them where there are no scores, in the order of the data.
    confidence : ndarray of float, or None
        The predicted class's probability; for decision values, by how much the predicted class's lies
        above the actual class's.
    measure : {"confidence", "margin"}
        Which of the two it is.
    """
    rows = np.flatnonzero(actual != predicted)
    if scores is None:
        return rows[:at_most], None, "confidence"
    probabilities = bool(np.all(scores >= 0) and np.allclose(scores.sum(axis=1), 1, atol=1e-3))
    confidence = scores[rows, predicted[rows]].astype(np.float64)
    if not probabilities:
        confidence = confidence - scores[rows, actual[rows]]
    order = np.argsort(-confidence, kind="stable")[:at_most]
    return rows[order], confidence[order], "confidence" if probabilities else "margin"


@house_style()
def wrong_figure(
    images: NDArray[Any],
    actual: NDArray[Any],
    predicted: NDArray[Any],
    confidence: NDArray[Any] | None,
    *,
    title: str,
    names: Sequence[str],
    measure: str = "confidence",
    errors: int | None = None,
    total: int | None = None,
) -> Figure:
    """Draw wrongly classified images, each with its actual and its predicted class and the confidence.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        The images in the order to draw them, integers 0-255 or floats 0-1; at most 50, maybe none.
    actual, predicted : ndarray of int, shape (n,)
        Their class codes.
    confidence : ndarray of float, shape (n,), or None
        Confidence (0-1) or margin of each; None where the model has neither.
    title : str
        One line.
    names : sequence of str
        Class names in the order of their codes.
    measure : {"confidence", "margin"}
        What `confidence` is.
    errors, total : int, optional
        How many errors there are in all, and among how many images.

    Raises
    ------
    ValueError
        There are more than 50 images.
    """
    n, height, width = images.shape
    labels = class_labels(names)
    among = "" if total is None else f" among {total:,} images"
    if n == 0:
        figure, axes = sheet(608, 120, title=title)
        axes.text(0.5, 0.5, f"no errors{among}", size=14, color=GREY, ha="center", va="center")
        return figure
    what = "actual → predicted" + ("" if confidence is None else f", {measure}")
    count = "" if errors is None else f"{'all' if n == errors else f'{n} of'} {errors:,} errors{among}; "
    # "4 → 9" is a line; longer names get one each.
    if max(map(len, labels)) <= 3:
        captions = [[f"{labels[a]} → {labels[p]}"] for a, p in zip(actual, predicted, strict=True)]
    else:
        captions = [[labels[a], f"→ {labels[p]}"] for a, p in zip(actual, predicted, strict=True)]
    values = [""] * n if confidence is None else [f"{value:.3f}" for value in confidence]

    rows, columns = min(ROWS, -(-n // COLUMNS)), min(n, COLUMNS)
    scale = max(1, WIDTH // (COLUMNS * (width + PADDING)))
    widest = max(text_width(line, 9.0) for lines in captions for line in lines)
    # In pixels of the images: room below for the caption, and to both sides where names are wide.
    below = -(-(LINE * (len(captions[0]) + (confidence is not None)) + 12) // scale)
    beside = max(0, -(-int(min(widest, WIDEST) + GAP - width * scale) // (2 * scale)))
    cells = np.pad(images, ((0, 0), (0, below), (beside, beside)))
    image = image_map(cells, rows, columns, padding=PADDING)
    size = (image.shape[1] * scale, image.shape[0] * scale)
    figure, axes = sheet(*size, title=title, note=f"{count}below each: {what}")
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
