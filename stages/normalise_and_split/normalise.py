"""Rescales grey values to [0, 1] and encodes labels as class codes."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError


def normalise(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Rescale grey values from 0-255 to 0-1.

    Parameters
    ----------
    images : ndarray of uint8
        Any shape, 0-255.

    Returns
    -------
    ndarray of float32
        The same shape, 0-1: k becomes the float32 nearest to k/255.
    """
    return images.astype(np.float32) / np.float32(255)


def encode(labels: NDArray[Any], class_names: list[str] | None = None) -> tuple[NDArray[np.int64], list[str]]:
    """Encode labels as class codes.

    Parameters
    ----------
    labels : ndarray of integers or strings, shape (n,)
        The labels of the raw data set.
    class_names : list of str, optional
        Class names in the order of the sorted labels, numbers in names by value ("a2" before "a10"); by default the
        labels themselves.

    Returns
    -------
    codes : ndarray of int64, shape (n,)
        Index of each label in the sorted distinct labels.
    names : list of str
        Class name of each code.

    Raises
    ------
    UserError
        There are more names than classes or fewer, or a duplicate name.
    """
    distinct, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if distinct.dtype.kind == "U":
        order = np.array(sorted(range(len(distinct)), key=lambda index: _by_value(str(distinct[index]))))
        distinct, codes, counts = distinct[order], np.argsort(order)[codes], counts[order]
    names = [str(label) for label in distinct] if class_names is None else list(class_names)
    if len(names) != len(distinct):
        raise UserError(
            f"split.class_names in params.yaml has {len(names)} names, but the data set has {len(distinct)} classes: "
            f"{', '.join(str(label) for label in distinct[:20])}; the rarest is "
            f"{distinct[counts.argmin()]} ({counts.min():,} of {len(labels):,} rows)"
        )
    if len(set(names)) != len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise UserError(f"split.class_names in params.yaml: duplicate name '{duplicate}'; each class must have its own")
    return codes.astype(np.int64), names


def _by_value(name: str) -> tuple[list[str | int], str]:
    """Return the key that sorts names with the numbers in them by value."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if number % 2 else part for number, part in enumerate(parts)], name
