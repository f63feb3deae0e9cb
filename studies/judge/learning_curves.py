"""Parametric learning curves: families of error against the number of training rows, fitted by least squares.

The families are those of F. Mohr, T. J. Viering, M. Loog and J. N. van Rijn, "LCDB 1.0: an extensive learning curves
database for classification tasks", ECML PKDD 2022, which are reviewed in T. Viering and M. Loog, "The shape of learning
curves: a review", IEEE TPAMI 45 (2023), table 1. LCDB fits accuracies; in terms of the error, 1 - accuracy, they are:

    pow3  a + b n^-c
    pow4  a + b (n + d)^-c
    mmf4  (a b + c n^d) / (b + n^d)        Morgan-Mercer-Flodin
    exp4  c + exp(-a n^d + b)

Each is an asymptote plus a drop times a shape that falls from 1 at the smallest n towards 0. Asymptote and drop follow
exactly from the shape, whose one or two parameters are searched (variable projection: G. Golub and V. Pereyra, SIAM J.
Numerical Analysis 10, 1973).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

Values = NDArray[np.float64]


# Shapes, as functions of x = n / smallest n >= 1; parameters are arrays that broadcast against x.
def _pow3(x: Values, c: Values) -> Values:
    return x**-c


def _pow4(x: Values, c: Values, shift: Values) -> Values:  # shift = 1 + d / smallest n
    return np.asarray(((x - 1 + shift) / shift) ** -c)


def _mmf4(x: Values, d: Values, beta: Values) -> Values:  # beta = b / smallest n^d
    return np.asarray((beta + 1) / (beta + x**d))


def _exp4(x: Values, d: Values, rate: Values) -> Values:  # rate = a * smallest n^d
    return np.exp(-rate * (x**d - 1))


@dataclass(frozen=True)
class Family:
    """A shape and the bounds of its parameters, which are searched on a logarithmic scale."""

    shape: Callable[..., Values]
    bounds: tuple[tuple[float, float], ...]


FAMILIES: Mapping[str, Family] = {
    "pow3": Family(_pow3, ((0.01, 5.0),)),
    "pow4": Family(_pow4, ((0.01, 5.0), (0.1, 1e3))),
    "mmf4": Family(_mmf4, ((0.01, 5.0), (1e-3, 1e4))),
    "exp4": Family(_exp4, ((0.01, 3.0), (1e-3, 1e2))),
}
GRID = 40  # values tried per parameter of the shape
LAST_VALUE = "last value"


@dataclass(frozen=True)
class Fit:
    """A fitted curve: call it with n for the error, which is within 0-1 from the smallest fitted n onwards."""

    family: str
    smallest: float
    asymptote: float
    drop: float
    shape: tuple[float, ...]

    def __call__(self, n: float | Values) -> Values:
        """Return the error, 0-1, at n training rows, n >= `smallest`."""
        x = np.asarray(n, np.float64) / self.smallest
        if self.family == LAST_VALUE:
            return np.full_like(x, self.asymptote)
        return np.asarray(self.asymptote + self.drop * FAMILIES[self.family].shape(x, *self.shape))

    def parameters(self) -> dict[str, float]:
        """Return the parameters under their letters in the literature."""
        n, asymptote, drop, shape = self.smallest, self.asymptote, self.drop, self.shape
        match self.family:
            case "pow3":
                return {"a": asymptote, "b": drop * n ** shape[0], "c": shape[0]}
            case "pow4":
                c, shift = shape
                return {"a": asymptote, "b": drop * (shift * n) ** c, "c": c, "d": n * (shift - 1)}
            case "mmf4":
                d, beta = shape
                return {"a": asymptote + drop * (beta + 1) / beta, "b": beta * n**d, "c": asymptote, "d": d}
            case "exp4":
                d, rate = shape
                return {"a": rate / n**d, "b": float(np.log(drop)) + rate, "c": asymptote, "d": d}
        return {"a": asymptote}


@dataclass(frozen=True)
class NoFit:
    """Why there is no fitted curve."""

    reason: str


def mean_errors(errors: Values) -> Values:
    """Return the mean over seeds for each n; NaN where no seed has one: (seeds, k) with NaN -> (k,)."""
    present = np.isfinite(errors)
    counts = present.sum(axis=0)
    sums = np.where(present, errors, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def standard_errors(errors: Values) -> Values:
    """Estimate the standard error of the mean error at each n, by which fits are weighted.

    The SD of five seeds is itself uncertain by a third, so half of each variance is its own and half is that of a
    common coefficient of variation.

    Parameters
    ----------
    errors : ndarray of float64, shape (seeds, k)
        Errors, 0-1; NaN where a seed lacks an n.

    Returns
    -------
    ndarray of float64, shape (k,)
        At least 0.0001, one image of 10,000. If no n has two seeds: in proportion to the mean.
    """
    present = np.isfinite(errors)
    counts, means = present.sum(axis=0), mean_errors(errors)
    squares = np.where(present, errors - means, 0.0) ** 2
    variances = squares.sum(axis=0) / np.maximum(counts - 1, 1)
    known = (counts > 1) & (means > 0)
    relative = float(np.mean(variances[known] / means[known] ** 2)) if known.any() else 0.0
    common = (relative or 1.0) * means**2
    own = np.where(known, variances, common)
    return np.maximum(np.sqrt((own + common) / 2 / np.maximum(counts, 1)), 1e-4)


def fit(family: str, n: Values, means: Values, sigma: Values) -> Fit | NoFit:
    """Fit a family by weighted least squares.

    All shapes of a grid are tried and the best is refined, so the result does not depend on chance; 2 to 5 ms.

    Parameters
    ----------
    family : str
        A key of FAMILIES, or "last value": the mean at the largest n, for every n.
    n, means, sigma : ndarray of float64, shape (k,)
        Training rows, mean errors (0-1) and their standard errors (above 0). NaN means are left out.

    Returns
    -------
    Fit or NoFit
        NoFit if there are not more different n than parameters, or the error does not fall.
    """
    used = np.isfinite(means)
    order = np.argsort(n[used], kind="stable")
    n, y, weights = n[used][order], means[used][order], 1 / sigma[used][order] ** 2
    if family == LAST_VALUE:
        return Fit(family, float(n[0]), float(y[-1]), 0.0, ()) if len(n) else NoFit("there are no measured sizes")
    shape, bounds = FAMILIES[family].shape, np.log(FAMILIES[family].bounds)
    needed = len(bounds) + 3
    if len(np.unique(n)) < needed:
        return NoFit(f"{family} needs at least {needed} sizes, and there are {len(np.unique(n))}")
    x = n / n[0]

    def solve(theta: Values) -> tuple[Values, Values, Values]:  # (m, parameters) -> (m, k), (m,) and (m,)
        shapes = shape(x, *np.exp(theta.T)[..., np.newaxis])
        asymptotes, drops = _asymptote_and_drop(shapes, y, weights)
        residuals = asymptotes[:, np.newaxis] + drops[:, np.newaxis] * shapes - y
        return np.sqrt(weights) * residuals, asymptotes, drops

    axes = [np.linspace(low, high, GRID) for low, high in bounds]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, len(bounds))
    start = grid[np.argmin((solve(grid)[0] ** 2).sum(axis=1))]
    theta = least_squares(lambda point: solve(point[np.newaxis])[0][0], start, bounds=bounds.T, max_nfev=50).x
    _, (asymptote,), (drop,) = solve(theta[np.newaxis])
    curve = Fit(family, float(n[0]), float(asymptote), float(drop), tuple(np.exp(theta).tolist()))
    falls = float(curve(n[0]) - curve(n[-1])) > 1e-9  # more than rounding
    return curve if falls else NoFit("the error does not fall with more data")


def _asymptote_and_drop(shapes: Values, y: Values, weights: Values) -> tuple[Values, Values]:
    """Solve y = asymptote + drop * shape for each row of shapes; neither is negative, and their sum is at most 1."""
    weights = weights / weights.sum()
    mean = shapes @ weights
    centred = shapes - mean[:, np.newaxis]
    drop = np.maximum(_ratio(centred @ (weights * y), centred**2 @ weights), 0)
    asymptote = weights @ y - drop * mean
    drop = np.where(asymptote < 0, _ratio(shapes @ (weights * y), shapes**2 @ weights), drop)
    asymptote = np.maximum(asymptote, 0)
    rest = 1 - shapes
    drop_from_one = np.minimum(_ratio(rest @ (weights * (1 - y)), rest**2 @ weights), 1)
    above = asymptote + drop > 1
    return np.where(above, 1 - drop_from_one, asymptote), np.where(above, drop_from_one, drop)


def _ratio(dividend: Values, divisor: Values) -> Values:
    return np.divide(dividend, divisor, out=np.zeros_like(dividend), where=divisor > 1e-30)
