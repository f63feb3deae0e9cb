"""Which rows train, validate and test."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from stages.shared.errors import UserError

Rows = NDArray[np.int64]


class Division(NamedTuple):
    """Row numbers of the three sets: int64, each shape (n,), no row in two of them."""

    train: Rows
    validation: Rows
    test: Rows


def divide(
    codes: NDArray[np.int64],
    *,
    test: float | None,
    validation: float,
    random_state: int,
    rows: int | None = None,
    train_rows: int | None = None,
) -> Division:
    """Divide the rows of a data set, each class in the same proportion in every set.

    Parameters
    ----------
    codes : ndarray of int64, shape (n,)
        Class codes.
    test : float or None
        Share of the rows for testing; None keeps the data set's own test rows.
    validation : float
        Share of the other rows for validation, at least 0.
    random_state : int
        Seed. With all rows, `test=0.2` and seed 42, the test set is the notebook's own, and `validation=0` leaves
        exactly its training set, in its order.
    rows : int, optional
        Size of a stratified subset to divide; all rows if not given. With `test=None` it is taken of the
        training and of the test rows in proportion.
    train_rows : int, optional
        How many of the first rows are the data set's own training part; needed with `test=None`.

    Raises
    ------
    UserError
        More rows asked for than there are, no division of the data set's own, or a class too small to be divided.
    """
    everything = np.arange(len(codes))
    if rows is not None and rows > len(codes):
        raise UserError(f"split.rows in params.yaml is {rows:,}, but the data set has {len(codes):,} rows")
    if test is None:
        if train_rows is None:
            raise UserError(
                "split.test in params.yaml is 'official', but the source does not tell the data set's own test rows; "
                "give fetch.openml.train_rows, or a share such as 0.2"
            )
        learning, testing = everything[:train_rows], everything[train_rows:]
        if not len(learning) or not len(testing):
            raise UserError(
                f"split.test in params.yaml is 'official', but {train_rows:,} of the {len(codes):,} rows are for "
                "training, which leaves one of the two sets empty"
            )
        if rows is not None and rows < len(codes):
            share = rows / len(codes)
            learning = _take(learning, codes, round(share * len(learning)), random_state)
            testing = _take(testing, codes, rows - round(share * len(everything[:train_rows])), random_state)
        missing = np.setdiff1d(codes[testing], codes[learning])
        if len(missing):
            raise UserError(
                f"split.test in params.yaml is 'official', but class code {missing[0]} has no row among the "
                f"{train_rows:,} for training"
            )
    else:
        if rows is not None and rows < len(codes):
            everything = _take(everything, codes, rows, random_state)
        learning, testing = _cut(everything, codes, test, random_state, "split.test")
    if validation == 0:
        return Division(learning, learning[:0], testing)
    training, validating = _cut(learning, codes, validation, random_state, "split.validation")
    return Division(training, validating, testing)


def _cut(rows: Rows, codes: NDArray[np.int64], share: float, random_state: int, key: str) -> tuple[Rows, Rows]:
    try:
        first, second = train_test_split(rows, test_size=share, stratify=codes[rows], random_state=random_state)
    except ValueError as error:
        raise UserError(_too_small(rows, codes, f"{key} = {share}", error)) from None
    missing = np.setdiff1d(codes[rows], codes[first])
    if len(missing):
        raise UserError(f"{key} = {share} in params.yaml leaves class code {missing[0]} without a training row")
    return first, second


def _take(rows: Rows, codes: NDArray[np.int64], size: int, random_state: int) -> Rows:
    if size == len(rows):
        return rows
    try:
        taken, _ = train_test_split(rows, train_size=size, stratify=codes[rows], random_state=random_state)
    except ValueError as error:
        raise UserError(_too_small(rows, codes, "split.rows", error)) from None
    # The subset keeps the data set's order.
    return np.sort(taken)


def _too_small(rows: Rows, codes: NDArray[np.int64], key: str, error: Exception) -> str:
    smallest = int(np.bincount(codes[rows]).min())
    return (
        f"{key} in params.yaml cannot divide {len(rows):,} rows of {len(np.unique(codes[rows]))} classes, the smallest "
        f"with {smallest} rows ({error}); take more rows, or another share"
    )
