"""A clock."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Call a function, and return its result and the seconds it took (wall-clock time)."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start
