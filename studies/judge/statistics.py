"""A measure summarised over seeds, and two settings compared by pairs of the same seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap, permutation_test, t

LEVEL = 0.05  # of every test; intervals have 1 - LEVEL
RESAMPLES = 9_999  # of the bootstrap
EXACT = 2**15  # up to so many sign flips, all are tried: 15 seeds
SCALE = 1e9  # differences are rounded to whole billionths
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Mean, standard deviation (with n - 1) and 95 % t interval of the mean; the last three are None for one seed."""

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None


def summarise(values: Sequence[float] | Values) -> Summary:
    """Summarise a measure over seeds.

    Parameters
    ----------
    values : sequence of float
        One finite value per seed, at least one. One seed has a mean only.
    """
    array = np.asarray(values, np.float64)
    if not len(array) or not np.isfinite(array).all():
        raise ValueError("a summary needs at least one value, and finite ones")
    n, mean = len(array), float(array.mean())
    if n == 1:
        return Summary(n, mean, None, None, None)
    sd = float(array.std(ddof=1))
    half = float(t.ppf(1 - LEVEL / 2, n - 1)) * sd / math.sqrt(n)
    return Summary(n, mean, sd, mean - half, mean + half)


@dataclass(frozen=True)
class Comparison:
    """Two settings compared on the same seeds.

    `difference` is the mean of first - second, `low` and `high` its 95 % BCa bootstrap interval, `p` the two-sided
    p-value of the sign-flip test; these three are None for one seed. `p_equal` is the p-value of a difference of at
    least `margin`; None without a margin. `better` and `tied` count the seeds with which the first setting is better,
    and with which both are equal.
    """

    n: int
    difference: float
    low: float | None
    high: float | None
    p: float | None
    better: int
    tied: int
    higher_is_better: bool
    margin: float | None
    p_equal: float | None

    @property
    def probability(self) -> float:
        """P(first better than second): the share of seeds, 0-1, ties counted half."""
        return (self.better + self.tied / 2) / self.n


def compare(
    first: Mapping[int, float],
    second: Mapping[int, float],
    *,
    higher_is_better: bool = True,
    margin: float | None = None,
) -> Comparison:
    """Compare two settings paired by seed; the same values give the same result in every process.

    Parameters
    ----------
    first, second : mapping of int to float
        Seed -> measure. Seeds that only one setting has, or whose value is not finite, are left out: see `n`.
    higher_is_better : bool
        False for an error or a loss.
    margin : float, optional
        Differences below it, in units of the measure, do not matter in practice; above 0.

    Raises
    ------
    ValueError
        If there is no pair of finite values.

    References
    ----------
    B. Efron, "Better bootstrap confidence intervals", JASA 82 (1987). R. A. Fisher, "The Design of Experiments" (1935),
    section 21, for the sign-flip test. X. Bouthillier et al., "Accounting for variance in machine learning benchmarks",
    MLSys 2021, for P(first better than second).
    """
    seeds = sorted(first.keys() & second.keys())
    pairs = np.array([first[seed] - second[seed] for seed in seeds], np.float64)
    # Sums of whole numbers are exact, so that what is equal on paper ties on every machine.
    differences = np.rint(pairs[np.isfinite(pairs)] * SCALE)
    n = len(differences)
    if not n:
        raise ValueError("no seed has a finite value in both settings")
    low, high = _bca_of_sum(differences) if n > 1 else (None, None)
    p_equal = None
    if margin is not None and n > 1:  # two tests: not above the margin, and not below -margin
        limit = np.rint(margin * SCALE)
        p_equal = max(_sign_flip(differences + limit, "greater"), _sign_flip(limit - differences, "greater"))
    return Comparison(
        n=n,
        difference=float(differences.sum()) / (n * SCALE),
        low=None if low is None else low / (n * SCALE),
        high=None if high is None else high / (n * SCALE),
        p=_sign_flip(differences, "two-sided") if n > 1 else None,
        better=int(np.sum(differences > 0 if higher_is_better else differences < 0)),
        tied=int(np.sum(differences == 0)),
        higher_is_better=higher_is_better,
        margin=margin,
        p_equal=p_equal,
    )


def _bca_of_sum(differences: Values) -> tuple[float, float]:
    if np.ptp(differences) == 0:  # BCa is not defined; every resample has the same sum
        return float(differences.sum()), float(differences.sum())
    interval = bootstrap(
        (differences,),
        np.sum,
        confidence_level=1 - LEVEL,
        n_resamples=RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _sign_flip(differences: Values, alternative: Literal["two-sided", "greater"]) -> float:
    test = permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=EXACT,
        alternative=alternative,
        rng=np.random.default_rng(0),
    )
    return min(1.0, float(test.pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number (S. Holm, Scandinavian Journal of Statistics 6, 1979); the order is kept."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(np.arange(len(p), 0, -1) * p[order]))
    return [float(value) for value in adjusted]
