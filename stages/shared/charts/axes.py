"""Domains and tick values of chart axes: stretched towards an accuracy of 1, logarithmic or linear."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# A stretched axis is infinitely long at 1 + BEYOND_ONE, so that 1 itself is on it.
BEYOND_ONE = 0.002
TICKS_AT_MOST = 10
# Tick values in (0, inf), coarse to fine, evenly spread on a logarithmic axis.
LOSSES = [
    [float(f"{digit}e{power}") for power in range(-6, 39) for digit in digits]
    for digits in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))
]
ACCURACIES = [
    sorted({0.0, 1.0, *(round(1 - error, 6) for error in errors if BEYOND_ONE <= error < 1)}) for errors in LOSSES[1:]
]


def stretched(accuracy: Any) -> Any:
    """Map accuracies to a quantity whose logarithmic axis gives 0.98 to 0.99 as much room as 0.8 to 0.9."""
    return 1 / (1 + BEYOND_ONE - accuracy)


def unstretched(value: float) -> float:
    """Invert `stretched`."""
    return 1 + BEYOND_ONE - 1 / value


def log_domain(low: float, high: float) -> list[float]:
    """Return the domain of a logarithmic axis from `low` to `high`, both positive, with a margin at both ends."""
    factor = max((high / low) ** 0.05, 1.02)
    return [float(low / factor), float(high * factor)]


def choose_ticks(low: float, high: float, levels: Sequence[Sequence[float]]) -> list[float]:
    """Choose tick values in [low, high].

    Parameters
    ----------
    low, high : float
        The domain of the axis, `low` less than `high`.
    levels : sequence of sequence of float
        Candidates, coarse to fine: those of the first level with four values in the domain are taken, and multiples
        of a round step if no level has three.
    """
    inside: list[float] = []
    for level in levels:
        inside = [value for value in level if low <= value <= high]
        if len(inside) >= 4:
            break
    if len(inside) < 3:
        inside = even_ticks(low, high)
    return inside[:: -(-len(inside) // TICKS_AT_MOST)]


def even_ticks(low: float, high: float) -> list[float]:
    """Return the multiples in [low, high] of the smallest round step that gives at most six."""
    steps = (digit * 10.0**power for power in range(-12, 39) for digit in (1, 2, 2.5, 5))
    step = next(step for step in steps if (high - low) / step <= 5)
    return [round(number * step, 12) for number in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def epoch_ticks(last: int) -> list[int]:
    """Return 1 and the multiples, up to `last`, of the smallest of 1, 2, 5, 10, 20, ... that gives at most ten."""
    step = next(step for power in range(9) for step in (10**power, 2 * 10**power, 5 * 10**power) if last / step <= 10)
    return [1, *range(step if step > 1 else 2, last + 1, step)]
