"""The digits as the notebook divides them, and as their publishers do."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages.fetch.sources import from_folder
from stages.normalise_and_split.normalise import encode, normalise
from stages.normalise_and_split.split import divide

SOURCE = "data/mnist"
NOTEBOOK_SHARE = 0.2
NOTEBOOK_SEED = 42


class Data(NamedTuple):
    """What models learn from and are judged by.

    Attributes
    ----------
    train_images, test_images : ndarray of float32, shape (n, 28, 28)
        0-1.
    train_labels, test_labels : ndarray of int64, shape (n,)
        Class codes.
    """

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def notebook_split(rows: int | None = None) -> Data:
    """Return the notebook's 56,000 training and 14,000 test digits.

    Parameters
    ----------
    rows : int, optional
        Keep that many of the training rows, of each class in proportion; all if not given.
    """
    return _divided(NOTEBOOK_SHARE, rows)


def official_split() -> Data:
    """Return MNIST's own 60,000 training and 10,000 test digits."""
    return _divided(None, None)


def _divided(test: float | None, rows: int | None) -> Data:
    raw = from_folder(SOURCE)
    codes, _ = encode(raw.labels)
    division = divide(codes, test=test, validation=0, random_state=NOTEBOOK_SEED, train_rows=raw.train_rows)
    train = division.train
    if rows is not None and rows < len(train):
        train, _ = train_test_split(train, train_size=rows, stratify=codes[train], random_state=NOTEBOOK_SEED)
    return Data(normalise(raw.images[train]), codes[train], normalise(raw.images[division.test]), codes[division.test])
