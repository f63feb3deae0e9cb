"""Subsets of the training rows: nested, stratified, and the rows among them that decide early stopping."""

import math

import numpy as np
from numpy.typing import NDArray

STOPPING_EVERY = 10  # one row in ten decides early stopping
LEAST_SHARE = 0.25  # of the training steps on all rows


def stratified_order(labels: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Shuffle rows so that every prefix has the classes in nearly the same proportion as all rows.

    Subsets of different sizes are prefixes of one order, so that the smaller are within the larger.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        Class codes.
    seed : int
        Of the shuffle.

    Returns
    -------
    ndarray of int64, shape (n,)
        Indices of the rows.
    """
    random = np.random.default_rng(seed)
    position = np.empty(len(labels))
    for code in np.unique(labels):
        rows = np.flatnonzero(labels == code)
        # The k-th of a class's n rows comes at a random place in the k-th of n equal parts of the order.
        position[random.permutation(rows)] = (np.arange(len(rows)) + random.random(len(rows))) / len(rows)
    return np.argsort(position, kind="stable")


def stopping_rows(order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide a subset into the rows to train on and the rows that decide early stopping.

    Parameters
    ----------
    order : ndarray of int64, shape (n,)
        A prefix of `stratified_order`; n is at least `STOPPING_EVERY`.
    """
    stopping = np.zeros(len(order), bool)
    stopping[STOPPING_EVERY - 1 :: STOPPING_EVERY] = True
    return order[~stopping], order[stopping]


def epochs_for(rows: int, epochs: int, batch_size: int, all_rows: int) -> int:
    """Return the number of epochs on a subset: as declared, or more, for a quarter of the steps on all rows.

    Parameters
    ----------
    rows : int
        Training rows of the subset.
    epochs : int
        As declared.
    batch_size : int
        Rows per step.
    all_rows : int
        Training rows of the whole set.
    """
    least = LEAST_SHARE * epochs * math.ceil(all_rows / batch_size)
    return max(epochs, math.ceil(least / math.ceil(rows / batch_size)))
