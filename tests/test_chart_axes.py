"""The axes of the charts: domains and ticks."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.shared.charts.axes import (
    ACCURACIES,
    LOSSES,
    choose_ticks,
    epoch_ticks,
    log_domain,
    stretched,
    unstretched,
)


def test_the_stretched_axis_is_increasing_invertible_and_finite_at_1() -> None:
    accuracies = np.array([0, 0.1, 0.5, 0.9, 0.98, 0.99, 0.999, 1])
    np.testing.assert_allclose(unstretched(stretched(accuracies)), accuracies, atol=1e-12)
    assert (np.diff(stretched(accuracies)) > 0).all()
    assert stretched(1.0) == pytest.approx(500)


@pytest.mark.parametrize(
    ("low", "high", "domain"),
    # A twentieth of four powers of ten is a fifth of one.
    [(0.1, 1000, (0.1 / 10**0.2, 1000 * 10**0.2)), (3.0, 3.0, (3 / 1.02, 3 * 1.02))],
)
def test_the_domain_of_a_logarithmic_axis_has_a_margin(low: float, high: float, domain: tuple[float, float]) -> None:
    assert log_domain(low, high) == pytest.approx(domain)


@pytest.mark.parametrize(
    ("low", "high", "levels", "ticks"),
    [
        (0, 3, [(0, 1, 2, 3, 4), (0, 0.5, 1, 1.5, 2, 2.5, 3)], [0, 1, 2, 3]),
        (0, 2, [(0, 1, 2, 3, 4), (0, 0.5, 1, 1.5, 2)], [0, 0.5, 1, 1.5, 2]),
        (0, 2, [(0, 1, 2, 3, 4)], [0, 1, 2]),
        # Too few of any level: multiples of a round step.
        (0, 5, [(0, 20)], [0, 1, 2, 3, 4, 5]),
        (0, 10, [(0, 20)], [0, 2, 4, 6, 8, 10]),
        (-1, 13, [(0, 1)], [0, 5, 10]),
        (0.9921, 0.9934, ACCURACIES, [0.9925, 0.993]),
        # Every second or third of many.
        (0, 9, [range(10)], list(range(10))),
        (0, 10, [range(11)], [0, 2, 4, 6, 8, 10]),
        (0, 20, [range(21)], [0, 3, 6, 9, 12, 15, 18]),
        (0.88, 0.996, ACCURACIES, [0.9, 0.95, 0.98, 0.99, 0.995]),
        (0.0, 1.0, ACCURACIES, [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 1]),
        (0.015, 0.8, LOSSES, [0.02, 0.05, 0.1, 0.2, 0.5]),
        (0.03, 0.15, LOSSES, [0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15]),
    ],
)
def test_ticks(low: float, high: float, levels: Any, ticks: list[float]) -> None:
    assert choose_ticks(low, high, levels) == pytest.approx(ticks)


@given(st.floats(0, 0.999), st.floats(1e-4, 1))
def test_an_axis_of_accuracies_has_two_to_ten_ticks(low: float, spread: float) -> None:
    high = min(low + spread, 1.0)
    ticks = choose_ticks(low, high, ACCURACIES)
    assert 2 <= len(ticks) <= 10
    assert all(low <= tick <= high + 1e-9 for tick in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("last", "ticks"),
    [
        (1, [1]),
        (2, [1, 2]),
        (11, [1, 2, 4, 6, 8, 10]),
        (12, [1, 2, 4, 6, 8, 10, 12]),
        (50, [1, *range(5, 51, 5)]),
        (100, [1, *range(10, 101, 10)]),
        (200, [1, *range(20, 201, 20)]),
        (500, [1, *range(50, 501, 50)]),
    ],
)
def test_epochs_have_round_ticks_from_1(last: int, ticks: list[int]) -> None:
    assert epoch_ticks(last) == ticks
