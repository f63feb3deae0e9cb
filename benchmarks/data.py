"""The digits in the notebook's split and in MNIST's own."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages.fetch.idx_files import from_folder
from stages.normalise_and_split.normalise import encode, normalise
from stages.normalise_and_split.split import divide

SOURCE = Path("data/mnist")
NOTEBOOK_TEST_SHARE = 0.2
NOTEBOOK_SEED = 42


class Data(NamedTuple):
    """Training and test data.

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


def load(official: bool = False, rows: int | None = None) -> Data:
    """Load the digits.

    Parameters
    ----------
    official : bool
        Use MNIST's own split into 60,000 training and 10,000 test digits, not the notebook's 56,000 and 14,000.
    rows : int, optional
        Size of a stratified subset of the training digits; all if not given.
    """
    raw = from_folder(SOURCE)
    codes, names = encode(raw.labels)
    test = None if official else NOTEBOOK_TEST_SHARE
    division = divide(codes, names, test=test, validation=0, random_state=NOTEBOOK_SEED, train_rows=raw.train_rows)
    train = division.train
    if rows is not None and rows < len(train):
        train, _ = train_test_split(train, train_size=rows, stratify=codes[train], random_state=NOTEBOOK_SEED)
    return Data(normalise(raw.images[train]), codes[train], normalise(raw.images[division.test]), codes[division.test])
