"""What one measurement gives, and the clock that it is taken with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Measured(NamedTuple):
    """A model that was trained and has predicted.

    Attributes
    ----------
    fit_seconds, predict_seconds : float
        Wall-clock time; of a net, making and compiling it is part of the first.
    codes : ndarray of int64, shape (n,)
        What it takes the test images for.
    whole : bool
        Whether it was trained to its end; if not, the seconds are reckoned from its first epochs, and the codes
        mean nothing.
    """

    fit_seconds: float
    predict_seconds: float
    codes: NDArray[np.int64]
    whole: bool = True


@dataclass
class Stopwatch:
    """Seconds that something took."""

    seconds: float = 0.0


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Time what is done inside."""
    watch = Stopwatch()
    begun = time.perf_counter()
    try:
        yield watch
    finally:
        watch.seconds = time.perf_counter() - begun
