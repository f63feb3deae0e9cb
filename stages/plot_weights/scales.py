"""Axes on which what matters is not squashed: accuracies near 1, and losses over several powers of ten."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

# How far above 1 the accuracy axis would become infinitely long; 1 itself is to be on it.
BEYOND_ONE = 0.002
ROUND_STEPS = (1, 2, 2.5, 5, 10)  # between ticks, times a power of ten
TICKS_AT_MOST = 9
# Wanted ticks, the finer ones where fewer than four of the coarse are in view.
ACCURACIES = (
    (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1),
    (
        0,
        0.2,
        0.4,
        0.6,
        0.7,
        0.8,
        0.85,
        0.9,
        0.92,
        0.94,
        0.96,
        0.97,
        0.98,
        0.985,
        0.99,
        0.992,
        0.995,
        0.998,
        1,
    ),
)
LOSSES = tuple(
    tuple(digit * 10.0**power for power in range(-30, 13) for digit in digits)
    for digits in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))
)


def stretch(accuracy: Any) -> NDArray[np.float64]:
    """Map accuracies to places on an axis where 0.98 to 0.99 has about as much room as 0.8 to 0.9.

    Minus the logarithm of the share of errors, but for the constant that keeps 1 on the axis.
    """
    return -np.log10(np.maximum(1 + BEYOND_ONE - np.asarray(accuracy, dtype=np.float64), 1e-9))


def unstretch(place: Any) -> NDArray[np.float64]:
    """Map places on the stretched axis back to accuracies."""
    return 1 + BEYOND_ONE - 10.0 ** -np.asarray(place, dtype=np.float64)


def stretched_limits(accuracies: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of a stretched axis that shows all these accuracies, with a little room."""
    low, high = stretch(accuracies.min()), stretch(accuracies.max())
    room = max(0.05 * float(high - low), 0.02)
    return float(unstretch(low - room)), float(unstretch(high + room))


def log_limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of a logarithmic axis that shows all these positive values, with a little room."""
    factor = max(float(values.max() / values.min()) ** 0.05, 1.02)
    return float(values.min()) / factor, float(values.max()) * factor


def set_ticks(axis: Axis, levels: Sequence[Sequence[float]]) -> None:
    """Tick an axis at wanted values, or at round numbers where too few of them are in view.

    Parameters
    ----------
    axis : Axis
        Its limits are set.
    levels : sequence of sequence of float
        Ticks to choose from, coarse to fine: the first level of which four are in view is taken.
    """
    low, high = axis.get_view_interval()
    inside: list[float] = []
    for places in levels:
        inside = [place for place in places if low <= place <= high]
        if len(inside) >= 4:
            break
    if len(inside) < 3:
        inside = [float(place) for place in MaxNLocator(nbins=5, steps=ROUND_STEPS).tick_values(low, high)]
        inside = [place for place in inside if low <= place <= high]
    # Over many powers of ten, every second or third of them.
    axis.set_major_locator(FixedLocator(inside[:: -(-len(inside) // TICKS_AT_MOST)]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))


def set_round_ticks(axis: Axis, at_most: int) -> None:
    """Tick a linear axis at round numbers, written without needless zeros."""
    axis.set_major_locator(MaxNLocator(nbins=at_most, steps=ROUND_STEPS))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
