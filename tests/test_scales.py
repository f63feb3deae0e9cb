"""Axes and grids of the pictures, in numbers."""

from collections.abc import Sequence

import numpy as np
import pytest
from matplotlib.axis import Axis
from matplotlib.figure import Figure

from stages.plot_weights.image_maps import grid
from stages.plot_weights.scales import (
    log_limits,
    set_round_ticks,
    set_ticks,
    stretch,
    stretched_limits,
    unstretch,
)


def axis(low: float, high: float) -> Axis:
    """Return an axis with these limits."""
    drawn = Figure().add_subplot()
    drawn.set_xlim(low, high)
    return drawn.xaxis


def ticks(low: float, high: float, *levels: Sequence[float]) -> list[float]:
    """Return where an axis is ticked."""
    ticked = axis(low, high)
    set_ticks(ticked, levels)
    return [float(place) for place in ticked.get_majorticklocs()]


def test_accuracies_of_any_type_are_stretched_as_float64() -> None:
    for function in (stretch, unstretch):
        assert function(np.array([0.5], np.float32)).dtype == np.float64
    assert stretch(0.902) == pytest.approx(1)
    assert stretch(1.5) == 9  # beyond the axis


@pytest.mark.parametrize(("accuracies", "room"), [([0.902, 0.992, 0.95], 0.05), ([0.9], 0.02), ([0.95, 0.951], 0.02)])
def test_a_stretched_axis_has_some_room_at_both_ends(accuracies: list[float], room: float) -> None:
    low, high = stretched_limits(np.array(accuracies))
    assert stretch(low) == pytest.approx(stretch(min(accuracies)) - room)
    assert stretch(high) == pytest.approx(stretch(max(accuracies)) + room)


def test_a_logarithmic_axis_has_some_room_at_both_ends() -> None:
    # A twentieth of four powers of ten, which is a fifth of one.
    assert log_limits(np.array([10, 0.1, 1000])) == pytest.approx((0.1 / 10**0.2, 1000 * 10**0.2))
    assert log_limits(np.array([3.0])) == pytest.approx((3 / 1.02, 3 * 1.02))


def test_the_coarsest_ticks_of_which_four_are_in_view() -> None:
    fine = [place / 2 for place in range(9)]
    assert ticks(0, 3, (0, 1, 2, 3, 4), fine) == [0, 1, 2, 3]
    assert ticks(0, 2, (0, 1, 2, 3, 4), fine) == [0, 0.5, 1, 1.5, 2]
    assert ticks(0, 2, (0, 1, 2, 3, 4)) == [0, 1, 2]


def test_round_numbers_where_fewer_than_three_ticks_are_in_view() -> None:
    assert ticks(0, 10, (0, 20)) == [0, 2, 4, 6, 8, 10]
    # Steps of 3 would be rounder to a computer than to a person.
    assert ticks(-1, 13, (0, 1)) == [0, 5, 10]
    assert ticks(0, 10) == [0, 2, 4, 6, 8, 10]


def test_of_many_ticks_every_second_or_third_is_drawn() -> None:
    assert ticks(0, 8, range(9)) == list(range(9))
    assert ticks(0, 9, range(10)) == [0, 2, 4, 6, 8]
    assert ticks(0, 18, range(19)) == [0, 3, 6, 9, 12, 15, 18]


def test_an_even_axis_is_ticked_at_round_numbers() -> None:
    ticked = axis(0, 14)
    set_round_ticks(ticked, 5)
    assert ticked.get_major_locator().tick_values(0, 14).tolist() == [0, 5, 10, 15]
    assert ticked.get_major_locator().tick_values(0, 10).tolist() == [0, 2, 4, 6, 8, 10]
    set_round_ticks(ticked, 2)
    assert ticked.get_major_locator().tick_values(0, 14).tolist() == [0, 10, 20]


def test_ticks_are_written_without_needless_digits() -> None:
    for function in (lambda it: set_ticks(it, [(0, 1, 2, 3)]), lambda it: set_round_ticks(it, 5)):
        ticked = axis(0, 3)
        function(ticked)
        assert [ticked.get_major_formatter()(place, 0) for place in (0.1 + 0.2, 1.0, 0.9925)] == ["0.3", "1", "0.9925"]


def test_no_ticks_are_drawn_between_the_ticks() -> None:
    ticked = axis(1, 1000)
    ticked.axes.set_xscale("log")
    set_ticks(ticked, [(1, 10, 100, 1000)])
    assert len(ticked.get_minorticklocs()) == 0


@pytest.mark.parametrize(("n", "expected"), [(39, (5, 8)), (300, (19, 16)), (8, (2, 4)), (9, (3, 3))])
def test_a_grid_is_no_strip(n: int, expected: tuple[int, int]) -> None:
    assert grid(n) == expected
    assert all(type(length) is int for length in grid(n))
