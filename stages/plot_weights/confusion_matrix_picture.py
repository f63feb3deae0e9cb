"""The confusion matrix as an image, coloured by the errors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from stages.shared.charts.picture_style import DPI, GROUND, INK, chart, class_labels, house_style, text_width

COUNTS_UP_TO = 26  # classes; with more, the counts would be illegible
ZEROS_UP_TO = 12  # classes; with more, zeros would hide the rest
# Smallest share of errors that the strongest colour stands for, so that one error in 2,000 stays pale.
FAINTEST = 0.005
PALE = "#bdbdbd"


@house_style()
def confusion_figure(counts: NDArray[Any], *, title: str, names: Sequence[str]) -> Figure:
    """Draw a confusion matrix.

    Parameters
    ----------
    counts : ndarray of int, shape (classes, classes)
        Actual classes as rows, predicted ones as columns; at least one test image.
    title : str
        One line; errors and accuracy are written below it.
    names : sequence of str
        Class names in the order of their codes.

    Returns
    -------
    Figure
        Its image is the share of each actual class that was predicted as each other class, masked on the diagonal.
    """
    n = len(names)
    total = int(counts.sum())
    errors = total - int(np.trace(counts))
    shares = np.ma.array(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), mask=np.eye(n, dtype=bool))
    strongest = max(float(shares.max()) if n > 1 else 0.0, FAINTEST)

    labels = class_labels(names)
    # Inches: large enough for a count in each cell, or for one line of text per row.
    cell = min(max(5.4 / n, 0.3 if n <= COUNTS_UP_TO else 0.18), 1.1)
    size = 9.0 if cell > 0.25 else 6.5
    room = max(text_width(label, size) for label in labels) / DPI
    turned = room > 0.9 * cell
    figure = chart(
        max(n * cell + room + 1.6, 4.2),
        n * cell + (room if turned else 0.15) + 1.15,
        title,
        f"{errors:,} of {total:,} wrong, accuracy {1 - errors / total:.4f}",
    )
    axes = figure.subplots()
    drawn = axes.imshow(shares, cmap=_white_to_red(), vmin=0, vmax=strongest, interpolation="nearest")
    axes.set_xlabel("predicted")
    axes.set_ylabel("actual")
    axes.set_xticks(range(n), labels, size=size, rotation=90 if turned else 0)
    axes.set_yticks(range(n), labels, size=size)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#efefef", linewidth=0.8)
    axes.tick_params(which="both", length=0, pad=4)
    axes.spines[:].set_visible(False)
    if n <= COUNTS_UP_TO:
        widest = text_width(str(counts.max()), 10.0) / DPI
        _write_counts(axes, counts, shares / strongest, size=min(9.0, 10.0 * 0.85 * cell / widest, 26 * cell))
    if errors:
        bar = figure.colorbar(drawn, ax=axes, shrink=0.6, aspect=28, pad=0.02)
        bar.set_label("share of the actual class")
        bar.ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=(1, 2, 2.5, 5, 10)))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.3g} %"))
        bar.ax.tick_params(length=0)
        bar.outline.set(visible=False)
    return figure


def _white_to_red() -> Colormap:
    colours = LinearSegmentedColormap.from_list("errors", ["#ffffff", "#fdc5a4", "#f16a43", "#a31515"])
    return colours.with_extremes(bad=GROUND)


def _write_counts(axes: Axes, counts: NDArray[Any], strength: np.ma.MaskedArray[Any, Any], size: float) -> None:
    # 0 on the diagonal, which is light.
    strengths = strength.filled(0)
    for (row, column), count in np.ndenumerate(counts):
        if count or len(counts) <= ZEROS_UP_TO:
            colour = PALE if not count else "white" if strengths[row, column] > 0.6 else INK
            axes.text(column, row, str(int(count)), size=size, color=colour, ha="center", va="center")
