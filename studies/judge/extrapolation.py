"""How well fitted learning curves predict the largest measured n, and what the best of them says about more data."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from studies.judge.learning_curves import FAMILIES, LAST_VALUE, Fit, NoFit, fit, mean_errors, standard_errors

Values = NDArray[np.float64]
FIT_UP_TO = 12_800  # training rows
MOST = 1e12  # training rows; a curve that needs more for a target does not reach it
RESAMPLES = 400  # of the seeds
TARGET = 0.01  # error


@dataclass(frozen=True)
class Prediction:
    """A curve fitted to small n, and how far it is off at the largest: `miss` is predicted - measured error."""

    fit: Fit
    predicted: float
    miss: float


def predictions(n: Values, errors: Values, fit_up_to: float = FIT_UP_TO) -> dict[str, Prediction | NoFit]:
    """Fit each family, and the last value, to small n and compare it with the mean error at the largest n.

    Parameters
    ----------
    n : ndarray of float64, shape (k,)
        Training rows, ascending.
    errors : ndarray of float64, shape (seeds, k)
        Errors, 0-1, one row per seed; NaN where a seed lacks an n.
    fit_up_to : float
        Largest n that is fitted.

    Returns
    -------
    dict
        Family -> prediction, or why there is none.
    """
    n, errors = _measured(n, errors)
    if not len(n) or n[-1] <= fit_up_to:
        missing = NoFit(f"there is no size above {fit_up_to:,.0f} to predict")
        return dict.fromkeys([LAST_VALUE, *FAMILIES], missing)
    means, small = mean_errors(errors), n <= fit_up_to
    sigma = standard_errors(errors[:, small])
    found: dict[str, Prediction | NoFit] = {}
    for family in [LAST_VALUE, *FAMILIES]:
        fitted = fit(family, n[small], means[small], sigma)
        if isinstance(fitted, Fit):
            predicted = float(fitted(n[-1]))
            found[family] = Prediction(fitted, predicted, predicted - float(means[-1]))
        else:
            found[family] = fitted
    return found


def best_family(found: dict[str, Prediction | NoFit]) -> str | NoFit:
    """Return the family with the smallest miss, if that is smaller than the miss of the last value."""
    misses = {family: abs(one.miss) for family, one in found.items() if isinstance(one, Prediction)}
    missing = [one for one in found.values() if isinstance(one, NoFit)]
    if not misses.keys() - {LAST_VALUE}:
        return missing[0]
    best = min(misses, key=lambda family: misses[family])  # of equal misses, the first, which is the last value's
    return NoFit("no family predicts the largest size better than the last value") if best == LAST_VALUE else best


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; None stands for infinity, and in the interval for a single seed too."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Extrapolation:
    """What a curve fitted to all n says about more data.

    `rows_needed` is the number of training rows for an error of at most `target`; None if the curve never gets there.
    `error` is the error, 0-1, at `larger` training rows. `resamples` counts the resamples that could be fitted.
    """

    fit: Fit
    target: float
    rows_needed: Estimate
    larger: float
    error: Estimate
    resamples: int


def extrapolate(
    n: Values, errors: Values, fit_up_to: float = FIT_UP_TO, target: float = TARGET, times: float = 10
) -> Extrapolation | NoFit:
    """Extrapolate by the family that predicts the largest n best, if it beats the last value.

    Parameters
    ----------
    n, errors, fit_up_to
        As for `predictions`.
    target : float
        Error, 0-1, for which the training rows are sought.
    times : float
        The error is extrapolated to so many times the largest n.
    """
    family = best_family(predictions(n, errors, fit_up_to))
    return family if isinstance(family, NoFit) else extrapolate_by(family, n, errors, target, times)


def extrapolate_by(
    family: str, n: Values, errors: Values, target: float, times: float, resamples: int = RESAMPLES
) -> Extrapolation | NoFit:
    """Extrapolate by a family that is fitted to all n, and again to each resample of the seeds.

    The intervals contain the luck of subsets and initial weights, but not the choice of the family: far from the data,
    the truth can lie outside. 400 resamples take about a second.
    """
    n, errors = _measured(n, errors)
    sigma = standard_errors(errors)
    fitted = fit(family, n, mean_errors(errors), sigma)
    if isinstance(fitted, NoFit):
        return fitted
    seeds = len(errors)
    draws = np.random.default_rng(0).integers(seeds, size=(resamples if seeds > 1 else 0, seeds))
    refits = [fit(family, n, mean_errors(errors[rows]), sigma) for rows in draws]
    curves = [one for one in refits if isinstance(one, Fit)]
    larger = times * float(n[-1])
    return Extrapolation(
        fitted,
        target,
        _estimate(rows_needed(fitted, target), [rows_needed(curve, target) for curve in curves]),
        larger,
        _estimate(float(fitted(larger)), [float(curve(larger)) for curve in curves]),
        len(curves),
    )


def rows_needed(curve: Fit, target: float) -> float:
    """Return the training rows for an error of at most `target`, rounded up; infinity if more than 10^12."""
    if float(curve(curve.smallest)) <= target:
        return curve.smallest
    if float(curve(MOST)) > target:
        return math.inf
    root = brentq(lambda log_n: float(curve(np.exp(log_n))) - target, math.log(curve.smallest), math.log(MOST))
    return float(math.ceil(math.exp(root)))


def _measured(n: Values, errors: Values) -> tuple[Values, Values]:
    used = np.isfinite(errors).any(axis=0)
    return np.asarray(n, np.float64)[used], errors[:, used]


def _estimate(value: float, resampled: list[float]) -> Estimate:
    # Quantiles that are resampled values: infinite ones cannot be averaged.
    bounds = np.quantile(resampled, [0.025, 0.975], method="inverted_cdf") if resampled else [math.inf, math.inf]
    return Estimate(*(float(one) if math.isfinite(one) else None for one in (value, *bounds)))
