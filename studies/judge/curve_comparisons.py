"""Where the learning curves of two models cross, and where a curve gets worse with more data."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from studies.judge.decisions import Decision, decide
from studies.judge.learning_curves import mean_errors
from studies.judge.statistics import compare

Values = NDArray[np.float64]


def crossings(n: Values, first: Values, second: Values) -> list[float]:
    """Return each n at which the order of two models changes, ascending.

    Between two measured n, the difference of the mean errors is interpolated, linear in log n. Curves that touch
    without changing their order do not cross; if they are equal at several n in between, the middle of these counts.

    Parameters
    ----------
    n : ndarray of float64, shape (k,)
        Training rows, ascending.
    first, second : ndarray of float64, shape (seeds, k)
        Errors, 0-1, the same seed in the same row. A seed counts at the n that both models have; others are NaN.
    """
    differences = np.round(mean_errors(first - second), 12)
    used = np.isfinite(differences)
    log_n, differences = np.log(np.asarray(n, np.float64)[used]), differences[used]
    found = []
    decided = np.flatnonzero(differences)
    for left, right in pairwise(decided):
        before, after = differences[left], differences[right]
        if np.sign(before) == np.sign(after):
            continue
        if right - left > 1:
            place = log_n[left + 1 : right].mean()
        else:
            place = log_n[left] + (log_n[right] - log_n[left]) * before / (before - after)
        found.append(float(np.exp(place)))
    return found


@dataclass(frozen=True)
class Worsening:
    """A step from n to more data at which the mean error rises; the claim decided is that more data are better."""

    smaller: float
    larger: float
    decision: Decision


def worsenings(n: Values, errors: Values) -> list[Worsening]:
    """Return the steps between neighbouring n at which the error rises, paired by seed.

    The p-values are adjusted for all steps of the curve, since all are looked at.

    Parameters
    ----------
    n : ndarray of float64, shape (k,)
        Training rows, ascending.
    errors : ndarray of float64, shape (seeds, k)
        Errors, 0-1; NaN where a seed lacks an n. Steps without a seed that has both n are left out.
    """
    present = np.isfinite(errors)
    columns = np.flatnonzero(present.any(axis=0))
    steps = [(a, b) for a, b in pairwise(columns) if (present[:, a] & present[:, b]).any()]
    by_seed = [dict(enumerate(column.tolist())) for column in errors.T]
    decisions = decide([compare(by_seed[b], by_seed[a], higher_is_better=False) for a, b in steps])
    return [
        Worsening(float(n[a]), float(n[b]), decision)
        for (a, b), decision in zip(steps, decisions, strict=True)
        if decision.comparison.difference > 0
    ]
