"""All models' accuracies in one picture."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stages.plot_weights.figures import GREY, PALETTE, chart, house_style, shortened
from stages.plot_weights.scales import (
    ACCURACIES,
    set_round_ticks,
    set_ticks,
    stretch,
    stretched_limits,
    unstretch,
)

# Between the worst and the best model: on an even axis, the good ones would lie on top of each other.
TOO_WIDE = 0.25


@house_style()
def leaderboard_figure(
    names: Sequence[str],
    accuracy: NDArray[Any],
    low: NDArray[Any],
    high: NDArray[Any],
    *,
    title: str,
    note: str = "dot: test accuracy, bar: 95 % interval",
    kinds: Sequence[str] | None = None,
) -> Figure:
    """Draw a dot and an interval a model, the first at the top.

    Parameters
    ----------
    names : sequence of str
        The models, one or more.
    accuracy, low, high : ndarray of float, shape (models,)
        Test accuracy and the ends of its 95 % interval, 0-1.
    title : str
        One line.
    note : str
        What dot and bar are, written below the title.
    kinds : sequence of str, optional
        What each model is ("baseline", "net"); each kind has its own colour.

    Raises
    ------
    ValueError
        There is no model, or the arguments are not of one length.
    """
    n = len(names)
    lengths = [n, len(accuracy), len(low), len(high), n if kinds is None else len(kinds)]
    if set(lengths) != {n} or n == 0:
        raise ValueError(f"names, accuracies, their intervals and kinds must be as many, at least 1, not {lengths}")
    # 8 inches: shown 800 pixels wide, the letters are about as large as a README's.
    figure = chart(8.0, 1.4 + 0.32 * n, title, note)
    axes = figure.subplots()
    groups = sorted(set(kinds or [""]), reverse=True)  # nets first, in the colour that they have in the report
    for group, colour in zip(groups, PALETTE * len(groups), strict=False):
        rows = np.array([row for row in range(n) if kinds is None or kinds[row] == group])
        # Mixed with white instead of transparent, so that the rule behind does not show through.
        pale = tuple(1 - 0.35 * (1 - part) for part in to_rgb(colour))
        axes.hlines(rows, low[rows], high[rows], color=[pale], linewidth=7, capstyle="round", zorder=2)
        axes.plot(accuracy[rows], rows, "o", color=colour, markersize=7.5, label=group or None, zorder=3)
    for row, value in enumerate(accuracy):
        axes.text(
            1.02,
            row,
            f"{value:.4f}",
            transform=axes.get_yaxis_transform(),
            size=10,
            weight="bold",
            va="center_baseline",
        )
    _set_accuracy_axis(axes, float(low.min()), float(high.max()))
    axes.set_ylim(n - 0.45, -0.55)
    axes.set_yticks(range(n), [shortened(name, 28) for name in names], size=10)
    axes.grid()
    axes.tick_params(length=0)
    axes.tick_params(axis="x", labelcolor=GREY)
    axes.spines[:].set_visible(False)
    if len(groups) > 1:
        # In the heading, to the right of the note.
        legend = figure.legend(loc="upper right", ncols=len(groups), handletextpad=0.1, fontsize=9)
        legend.set_in_layout(False)
    return figure


def _set_accuracy_axis(axes: Axes, lowest: float, highest: float) -> None:
    spread = highest - lowest
    if spread > TOO_WIDE:
        axes.set_xlabel("test accuracy (axis stretched towards 1)")
        axes.set_xscale("function", functions=(stretch, unstretch))
        axes.set_xlim(stretched_limits(np.array([lowest, highest])))
        set_ticks(axes.xaxis, ACCURACIES)
        return
    axes.set_xlabel("test accuracy")
    # A hundredth is the least to show, so that a single model's interval does not fill the picture.
    room = max(0.04 * spread, (0.01 - spread) / 2)
    axes.set_xlim(lowest - room, highest + room)
    set_round_ticks(axes.xaxis, 10)
