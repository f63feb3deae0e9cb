"""CSV tables."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.shared.files.paths import CONFUSION, HISTORY
from stages.shared.files.text_files import DECIMALS
from stages.shared.files.whole_files import reading, replacing


def save_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, with floats rounded to 6 decimal places."""
    with replacing(path) as temporary:
        table.round(DECIMALS).to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: Path) -> pd.DataFrame:
    """Read a CSV table with all columns as strings, so that class names such as "NA" or "01" stay as they are.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    with reading(path):
        return pd.read_csv(path, dtype=str, keep_default_na=False)


def save_history(name: str, history: pd.DataFrame) -> None:
    """Write the training history of a net.

    Parameters
    ----------
    name : str
        Name of the net.
    history : DataFrame
        One row per epoch; columns epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss.
    """
    save_table(HISTORY.path(name), history)


def load_history(name: str) -> pd.DataFrame:
    """Read the training history of a net: columns as in `save_history`, epoch int64, others float64.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    path = HISTORY.path(name)
    with reading(path):
        history = pd.read_csv(path)
        if missing := {"epoch", "accuracy", "loss"} - set(history):
            raise ValueError(f"it has no column '{min(missing)}'")
        return history.astype(float).astype({"epoch": int})


def load_confusion(name: str, classes: list[str]) -> NDArray[np.int64]:
    """Count the actual and predicted classes of a model's test images.

    Parameters
    ----------
    name : str
        Name of the model.
    classes : list of str
        Class names in the order of their codes.

    Returns
    -------
    ndarray of int64, shape (classes, classes)
        Actual classes as rows, predicted ones as columns.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    path = CONFUSION.path(name)
    pairs = load_table(path)
    with reading(path):
        counted = pd.crosstab(pairs["actual"], pairs["predicted"])
        return counted.reindex(index=classes, columns=classes, fill_value=0).to_numpy(np.int64)
