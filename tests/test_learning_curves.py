"""Learning curves: families recovered from their formulas, extrapolation, crossings and steps that get worse."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import nnls

from studies.judge.curve_comparisons import crossings, worsenings
from studies.judge.extrapolation import (
    Estimate,
    Extrapolation,
    Prediction,
    best_family,
    extrapolate,
    extrapolate_by,
    predictions,
    rows_needed,
)
from studies.judge.learning_curves import FAMILIES, LAST_VALUE, Fit, NoFit, fit, mean_errors, standard_errors

Values = NDArray[np.float64]

SIZES = np.array([100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 50_400], float)
SMALL = SIZES[:8]

# Formulas of LCDB in terms of the error, with the letters of the literature.
FORMULAS: dict[str, Callable[..., Values]] = {
    "pow3": lambda n, a, b, c: a + b * n**-c,
    "pow4": lambda n, a, b, c, d: a + b * (n + d) ** -c,
    "mmf4": lambda n, a, b, c, d: (a * b + c * n**d) / (b + n**d),
    "exp4": lambda n, a, b, c, d: c + np.exp(-a * n**d + b),
}
TRUTHS: list[tuple[str, dict[str, float]]] = [
    ("pow3", {"a": 0.015, "b": 3, "c": 0.55}),
    ("pow3", {"a": 0, "b": 1.5, "c": 0.35}),
    ("pow4", {"a": 0.01, "b": 20, "c": 0.8, "d": 300}),
    ("pow4", {"a": 0.02, "b": 2, "c": 0.6, "d": -50}),
    ("mmf4", {"a": 0.9, "b": 200, "c": 0.01, "d": 0.9}),
    ("exp4", {"a": 0.3, "b": 0.5, "c": 0.012, "d": 0.25}),
]


def fitted(family: str, n: Values, means: Values, sigma: Values | None = None) -> Fit:
    found = fit(family, n, means, 0.03 * means if sigma is None else sigma)
    assert isinstance(found, Fit), found
    return found


def noisy(means: Values, seeds: int = 10, spread: float = 0.03, seed: int = 0) -> Values:
    """Errors of several seeds, with five seeds only above 6,400 rows."""
    errors = means * (1 + spread * np.random.default_rng(seed).standard_normal((seeds, len(means))))
    errors[5:, 7:] = np.nan
    return errors


# Fits


@pytest.mark.parametrize(("family", "truth"), TRUTHS)
def test_each_family_is_recovered_from_its_formula(family: str, truth: dict[str, float]) -> None:
    curve = fitted(family, SMALL, FORMULAS[family](SMALL, **truth))
    assert curve.parameters() == pytest.approx(truth, rel=1e-4, abs=1e-6)
    assert curve(SIZES) == pytest.approx(FORMULAS[family](SIZES, **truth), rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_letters_of_the_literature_give_the_same_curve(family: str) -> None:
    errors = noisy(0.02 + 2 * SMALL**-0.5, 1)[0]
    curve = fitted(family, SMALL[:7], errors[:7])
    assert FORMULAS[family](SIZES, **curve.parameters()) == pytest.approx(curve(SIZES), rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_curve_of_the_family_fits_better(family: str) -> None:
    """Against random shapes, whose asymptote and drop SciPy's non-negative least squares finds."""
    random = np.random.default_rng(1)
    shape, bounds = FAMILIES[family].shape, np.log(FAMILIES[family].bounds)
    for case in range(20):
        means, sigma = 0.4 * random.random(8), random.uniform(0.002, 0.02, 8)
        if case % 2:
            means = np.sort(means)[::-1]
        curve = fit(family, SMALL, means, sigma)
        if isinstance(curve, NoFit):
            continue
        least = np.linalg.norm((curve(SMALL) - means) / sigma)
        for point in random.uniform(*bounds.T, size=(200, len(bounds))):
            basis = np.stack([np.ones(8), shape(SMALL / 100, *np.exp(point))], axis=1)
            assert nnls(basis / sigma[:, np.newaxis], means / sigma)[1] >= least - 1e-6


def test_a_curve_that_falls_once_and_then_rises_has_a_falling_fit() -> None:
    means = np.array([0.2, 0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.22])
    curve = fitted("pow3", SMALL, means, np.full(8, 0.01))
    assert curve(100.0) > 0.18 > curve(12_800.0)


def test_weights_decide_where_a_curve_fits_closely() -> None:
    means = 0.02 + 2 * SMALL**-0.5
    means[0] = 0.5  # far off the curve
    trusted, doubted = np.full(8, 0.01), np.full(8, 0.01)
    trusted[0], doubted[0] = 1e-4, 10
    assert abs(fitted("pow3", SMALL, means, trusted)(100.0) - 0.5) < 0.001
    assert fitted("pow3", SMALL, means, doubted)(SMALL[1:]) == pytest.approx(means[1:], rel=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_curves_fall_and_are_errors_whatever_the_data(family: str) -> None:
    random = np.random.default_rng(2)
    n = np.geomspace(100, 1e12, 200)
    for _ in range(20):
        found = fit(family, SMALL, random.random(8), np.full(8, 0.01))
        if isinstance(found, Fit):
            errors = found(n)
            assert errors.min() >= 0 and errors.max() <= 1 + 1e-12
            assert (np.diff(errors) <= 1e-12).all()
            assert all(math.isfinite(value) for value in found.parameters().values())


def test_sizes_may_come_in_any_order_and_lack_values() -> None:
    means = 0.02 + 2 * SMALL**-0.5
    expected = fitted("pow3", SMALL[:6], means[:6])
    gaps = np.where(SMALL > 3_200, np.nan, means)
    order = np.random.default_rng(3).permutation(8)
    assert fitted("pow3", SMALL[order], gaps[order], np.full(8, 0.01)).parameters() == pytest.approx(
        expected.parameters(), rel=1e-4
    )


FLAT = "the error does not fall with more data"


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("means", "reason"),
    [
        (np.full(8, 0.1), FLAT),
        (np.zeros(8), FLAT),
        (np.ones(8), FLAT),
        (np.linspace(0.1, 0.2, 8), FLAT),
        (np.array([0.2, 0.1]), "needs at least"),
        (np.array([0.2]), "needs at least"),
        (np.array([]), "needs at least"),
        (np.full(8, np.nan), "needs at least"),
    ],
)
def test_without_a_curve_there_is_a_reason(family: str, means: Values, reason: str) -> None:
    found = fit(family, SMALL[: len(means)], means, np.full(len(means), 0.01))
    assert isinstance(found, NoFit) and reason in found.reason


def test_the_number_of_sizes_that_are_needed_is_one_more_than_that_of_parameters() -> None:
    means = 0.02 + 2 * SMALL**-0.5
    assert fit("pow3", SMALL[:3], means[:3], means[:3]) == NoFit("pow3 needs at least 4 sizes, and there are 3")
    assert fit("pow4", SMALL[:4], means[:4], means[:4]) == NoFit("pow4 needs at least 5 sizes, and there are 4")
    assert isinstance(fit("pow3", SMALL[:4], means[:4], means[:4]), Fit)
    repeated = np.array([100.0, 100, 200, 200])
    assert isinstance(fit("pow3", repeated, means[:4], means[:4]), NoFit)


def test_the_last_value_is_that_of_the_largest_size() -> None:
    curve = fit(LAST_VALUE, np.array([400.0, 100, 200]), np.array([0.1, 0.3, 0.2]), np.ones(3))
    assert isinstance(curve, Fit)
    assert curve(np.array([100.0, 1e6])).tolist() == [0.1, 0.1]
    assert isinstance(fit(LAST_VALUE, SMALL, np.full(8, np.nan), np.ones(8)), NoFit)


# Means and standard errors


def test_means_and_standard_errors_over_the_seeds_that_have_a_size() -> None:
    errors = np.array([[0.2, 0.1, np.nan], [0.4, np.nan, np.nan]])
    assert mean_errors(errors) == pytest.approx([0.3, 0.1, np.nan], nan_ok=True)
    relative = np.sqrt(2) * 0.1 / 0.3
    assert standard_errors(errors)[:2] == pytest.approx([relative * 0.3 / np.sqrt(2), relative * 0.1])


def test_standard_errors_are_halfway_between_their_own_and_the_common_variance() -> None:
    errors = np.array([[0.2, 0.10], [0.4, 0.12]])
    variances, means = errors.var(axis=0, ddof=1), errors.mean(axis=0)
    common = (variances / means**2).mean() * means**2
    assert standard_errors(errors) == pytest.approx(np.sqrt((variances + common) / 2 / 2))


def test_without_spread_weights_are_relative_and_finite() -> None:
    assert standard_errors(np.array([[0.2, 0.1, 0.0]])) == pytest.approx([0.2, 0.1, 1e-4])
    assert (standard_errors(np.zeros((3, 2))) == 1e-4).all()


# Predictions and extrapolation


def test_the_miss_is_predicted_minus_measured_at_the_largest_size() -> None:
    truth = 0.015 + 3 * SIZES**-0.55
    found = predictions(SIZES, np.tile(truth, (3, 1)))
    last, curve = found[LAST_VALUE], found["pow3"]
    assert isinstance(last, Prediction) and isinstance(curve, Prediction)
    assert last.miss == pytest.approx(truth[7] - truth[9])
    assert curve.miss == pytest.approx(0, abs=1e-6)
    assert best_family(found) in FAMILIES


def test_sizes_above_the_limit_are_not_fitted() -> None:
    errors = noisy(0.015 + 3 * SIZES**-0.55)
    changed = errors.copy()
    changed[:, 8:] = 0.5
    one, other = predictions(SIZES, errors), predictions(SIZES, changed)
    for family in [LAST_VALUE, *FAMILIES]:
        first, second = one[family], other[family]
        assert isinstance(first, Prediction) and isinstance(second, Prediction)
        assert first.fit == second.fit
        assert second.miss == pytest.approx(first.predicted - 0.5)


def test_a_curve_that_stops_falling_is_not_extrapolated() -> None:
    means = np.append(0.005 + 3 * SMALL**-0.55, [0, 0])
    means[8:] = means[7]
    assert extrapolate(SIZES, np.tile(means, (3, 1))) == NoFit(
        "no family predicts the largest size better than the last value"
    )


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [(SMALL, "there is no size above 12,800 to predict"), (SIZES[[2, 4, 6, 8, 9]], "pow3 needs at least 4 sizes")],
)
def test_too_few_sizes_are_not_extrapolated(sizes: Values, reason: str) -> None:
    found = extrapolate(sizes, np.tile(0.01 + sizes**-0.5, (3, 1)))
    assert isinstance(found, NoFit) and found.reason.startswith(reason)


@pytest.mark.parametrize("errors", [np.full((2, 10), np.nan), np.zeros((2, 10)), np.full((2, 10), 0.1)])
def test_degenerate_errors_are_not_extrapolated(errors: Values) -> None:
    assert isinstance(extrapolate(SIZES, errors), NoFit)


def extrapolated(errors: Values) -> Extrapolation:
    found = extrapolate(SIZES, errors)
    assert isinstance(found, Extrapolation), found
    return found


def test_digits_needed_and_the_error_with_10_times_the_data_in_closed_form() -> None:
    found = extrapolated(np.tile(0.005 + 3 * SIZES**-0.5, (2, 1)))
    assert found.rows_needed.value == pytest.approx((3 / 0.005) ** 2, rel=1e-3)
    assert (found.larger, found.error.value) == (504_000, pytest.approx(0.005 + 3 * 504_000**-0.5, rel=1e-4))
    assert found.rows_needed.low == pytest.approx(found.rows_needed.high, rel=1e-3)  # the seeds are equal


def test_a_target_below_the_asymptote_is_never_reached() -> None:
    errors = np.tile(0.02 + 3 * SIZES**-0.5, (2, 1))
    never, once = (extrapolate_by("pow3", SIZES, errors, target, 10, resamples=20) for target in (0.01, 0.03))
    assert isinstance(never, Extrapolation) and isinstance(once, Extrapolation)
    assert never.rows_needed == Estimate(None, None, None)
    assert never.error.value is not None
    assert once.rows_needed.value == pytest.approx((3 / 0.01) ** 2, rel=1e-3)


def test_a_single_seed_has_no_interval() -> None:
    found = extrapolated(noisy(0.005 + 3 * SIZES**-0.5, seeds=1, spread=0.01))
    assert found.error.value is not None
    assert (found.error.low, found.error.high, found.resamples) == (None, None, 0)


def test_rows_needed_are_the_smallest_size_that_reaches_the_target() -> None:
    curve = fitted("pow3", SMALL, 0.002 + 3 * SMALL**-0.5)
    rows = rows_needed(curve, 0.01)
    assert curve(rows) <= 0.01 < curve(rows - 1)
    assert rows_needed(curve, 0.5) == 100
    assert math.isinf(rows_needed(curve, 0.001))


def test_extrapolation_is_the_same_each_time_and_its_intervals_contain_the_estimate() -> None:
    errors = noisy(0.005 + 3 * SIZES**-0.5)
    found = extrapolated(errors)
    assert found == extrapolated(errors)
    assert found.error.low is not None and found.error.value is not None and found.error.high is not None
    assert found.error.low < found.error.value < found.error.high
    assert found.resamples > 390  # a resample without any of the five seeds of the large sizes lacks those


def test_intervals_of_a_true_family_cover_the_truth() -> None:
    truth = 0.005 + 3 * 504_000**-0.5
    covered = []
    for seed in range(25):
        found = extrapolate_by("pow3", SIZES, noisy(0.005 + 3 * SIZES**-0.5, seed=seed), 0.01, 10, resamples=40)
        assert isinstance(found, Extrapolation)
        assert found.error.low is not None and found.error.high is not None
        covered.append(found.error.low <= truth <= found.error.high)
    assert np.mean(covered) >= 0.7  # percentile intervals of 10 seeds, from 40 resamples, cover less than 95 %


# Crossings


def test_curves_cross_where_the_interpolated_difference_is_zero() -> None:
    first = np.array([[0.3, 0.2, 0.1], [0.3, 0.2, 0.1]])
    second = np.array([[0.2, 0.15, 0.15], [0.2, 0.15, 0.15]])
    assert crossings(np.array([100.0, 200, 400]), first, second) == [pytest.approx(200 * math.sqrt(2))]
    assert crossings(np.array([100.0, 200, 400]), second, first) == [pytest.approx(200 * math.sqrt(2))]


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1, -1, 1, -1], [100 * 2**0.5, 200 * 2**0.5, 400 * 2**0.5]),
        ([3, 0, -1, -1], [200]),  # at a measured size
        ([1, 0, 1, 1], []),  # touch
        ([1, 0, 0, -1], [200 * 2**0.5]),  # equal in between
        ([0, 0, 1, 1], []),
        ([1, 1, 1, 0], []),
        ([0, 0, 0, 0], []),
        ([3, -1, -1, -1], [100 * 2**0.75]),
        ([1, np.nan, -1, -1], [200]),  # between 100 and 400
        ([np.nan] * 4, []),
    ],
)
def test_orders_of_curves(differences: list[float], expected: list[float]) -> None:
    n = np.array([100.0, 200, 400, 800])
    second = np.array([[0.3, 0.25, 0.2, 0.1]])
    assert crossings(n, second + 0.01 * np.array(differences), second) == pytest.approx(expected)


def test_only_seeds_that_both_models_have_are_compared() -> None:
    n = np.array([100.0, 200])
    first = np.array([[0.3, 0.2], [0.9, 0.1]])
    second = np.array([[0.4, 0.3], [np.nan, np.nan]])
    assert crossings(n, first, second) == []


# Steps that get worse


def test_a_step_that_gets_worse_is_found_and_decided() -> None:
    errors = np.tile(0.01 + SIZES**-0.5, (10, 1))
    errors[:, 5] += 0.05 + 0.001 * np.arange(10)  # at 3,200 rows
    (step,) = worsenings(SIZES, errors)
    assert (step.smaller, step.larger) == (1_600, 3_200)
    assert (step.decision.verdict, step.decision.claims) == ("contradicted", 9)
    assert step.decision.p == pytest.approx(9 * 2 / 2**10)
    assert step.decision.comparison.difference == pytest.approx(1 / np.sqrt(3_200) - 1 / 40 + 0.0545)


def test_with_few_seeds_a_worse_step_is_described_only() -> None:
    (step,) = worsenings(np.array([100.0, 200, 400]), np.array([[0.3, 0.4, 0.2], [0.3, 0.35, 0.2]]))
    assert (step.smaller, step.larger, step.decision.verdict) == (100, 200, "undecided")


def test_steps_are_paired_by_seed() -> None:
    # The mean rises, but only since the better seed lacks the larger size.
    assert worsenings(np.array([100.0, 200]), np.array([[0.3, 0.25], [0.1, np.nan]])) == []


@pytest.mark.parametrize(
    "errors", [np.full((2, 3), np.nan), np.zeros((2, 3)), np.array([[0.1, np.nan, np.nan], [np.nan, 0.2, np.nan]])]
)
def test_without_pairs_or_differences_no_step_gets_worse(errors: Values) -> None:
    assert worsenings(np.array([100.0, 200, 400]), errors) == []
