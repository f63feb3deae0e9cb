"""Divides the rows of a data set into train, validation and test set."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages.shared.errors import UserError

Rows = NDArray[np.int64]


class Division(NamedTuple):
    """Row numbers of the three sets: int64, each of shape (n,), without a row in common."""

    train: Rows
    validation: Rows
    test: Rows


def divide(
    codes: NDArray[np.int64],
    names: Sequence[str],
    *,
    test: float | None,
    validation: float,
    random_state: int,
    rows: int | None = None,
    train_rows: int | None = None,
) -> Division:
    """Divide the rows of a data set, stratified by class.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
        Class codes.
    names : sequence of str
        Class name of each code, for errors.
    test : float or None
        Fraction of the rows for the test set; None keeps the data set's own test rows.
    validation : float
        Fraction of the other rows for the validation set, in [0, 1).
    random_state : int
        Seed. With all rows, `test=0.2` and seed 42, the test set is the notebook's; with `validation=0` too, the
        training set is the notebook's, in the same order.
    rows : int, optional
        Size of a stratified subset to divide; by default all rows. With `test=None`, it is taken from
        the training and the test rows in proportion.
    train_rows : int, optional
        How many of the first rows are the data set's own training rows; required with `test=None`.

    Raises
    ------
    UserError
        `rows` exceeds the data set, the data set has no division of its own, or a class is too small to divide.
    """
    all_rows = np.arange(len(codes))
    if rows is not None and rows > len(codes):
        raise UserError(f"split.rows in params.yaml is {rows:,}, but the data set has {len(codes):,} rows")
    if test is None:
        if train_rows is None:
            raise UserError(
                "split.test in params.yaml is 'official', but the source does not mark the data set's own test rows; "
                "write a fraction such as 0.2, or use a source with a training and a test part (for OpenML, set "
                "fetch.openml.train_rows)"
            )
        train_part, test_part = all_rows[:train_rows], all_rows[train_rows:]
        if not len(train_part) or not len(test_part):
            raise UserError(
                f"split.test in params.yaml is 'official', but the data set's own training set has {train_rows:,} of "
                f"the {len(codes):,} rows, so one of the two sets is empty"
            )
        if rows is not None and rows < len(codes):
            fraction = rows / len(codes)
            train_part = _subset(train_part, codes, round(fraction * len(train_part)), random_state)
            test_part = _subset(test_part, codes, rows - len(train_part), random_state)
        missing = np.setdiff1d(codes[test_part], codes[train_part])
        if len(missing):
            raise UserError(
                f"split.test in params.yaml is 'official', but class '{names[missing[0]]}' does not occur in "
                f"the {train_rows:,} training rows"
            )
    else:
        if rows is not None and rows < len(codes):
            all_rows = _subset(all_rows, codes, rows, random_state)
        train_part, test_part = _split(all_rows, codes, names, test, random_state, "split.test")
    if validation == 0:
        return Division(train_part, train_part[:0], test_part)
    train_set, validation_set = _split(train_part, codes, names, validation, random_state, "split.validation")
    return Division(train_set, validation_set, test_part)


def _split(
    rows: Rows, codes: NDArray[np.int64], names: Sequence[str], fraction: float, random_state: int, key: str
) -> tuple[Rows, Rows]:
    try:
        first, second = train_test_split(rows, test_size=fraction, stratify=codes[rows], random_state=random_state)
    except ValueError as error:
        raise UserError(_too_small(rows, codes, f"{key} = {fraction}", error)) from None
    missing = np.setdiff1d(codes[rows], codes[first])
    if len(missing):
        raise UserError(f"{key} = {fraction} in params.yaml leaves no training row of class '{names[missing[0]]}'")
    return first, second


def _subset(rows: Rows, codes: NDArray[np.int64], size: int, random_state: int) -> Rows:
    if size == len(rows):
        return rows
    try:
        subset, _ = train_test_split(rows, train_size=size, stratify=codes[rows], random_state=random_state)
    except ValueError as error:
        raise UserError(_too_small(rows, codes, "split.rows", error)) from None
    # The subset keeps the data set's order.
    return np.sort(subset)


def _too_small(rows: Rows, codes: NDArray[np.int64], key: str, error: Exception) -> str:
    smallest = int(np.bincount(codes[rows]).min())
    return (
        f"{key} in params.yaml cannot divide {len(rows):,} rows of {len(np.unique(codes[rows]))} classes, the smallest "
        f"with {smallest} rows ({error}); take more rows, or another fraction"
    )
