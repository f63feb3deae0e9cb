"""Fitting a declared classifier."""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression

from stages.shared.params.mistakes import declaration_error
from stages.shared.params.yaml_file import Place
from stages.train_baselines.acceleration import accelerated, plain


def fit(
    model: ClassifierMixin, X: NDArray[np.float32], y: NDArray[np.int64], threads: int, where: Place
) -> ClassifierMixin:
    """Fit a classifier, on several processor cores where it can use them.

    Parameters
    ----------
    model : ClassifierMixin
        Not fitted; it is left as it is.
    X : ndarray of float32, shape (n, features)
        Images as rows, 0-1.
    y : ndarray of int64, shape (n,)
        Class codes.
    threads : int
        How many cores; 0 takes all.
    where : Place
        Where the declaration stands in params.yaml, for messages.

    Returns
    -------
    ClassifierMixin
        A fitted classifier of scikit-learn's own class, whose settings do not tell how many cores there were.

    Raises
    ------
    DeclarationError
        The classifier refuses the data, or its settings do not fit them.
    """
    worker = accelerated(clone(model))
    # LogisticRegression has the setting still, but no use for it, and warns.
    parallel = "n_jobs" in worker.get_params(deep=False) and type(worker) is not LogisticRegression
    if parallel:
        worker.set_params(n_jobs=threads or -1)
    try:
        worker.fit(X, y)
    except (ValueError, TypeError, AttributeError, IndexError, NotImplementedError, MemoryError) as error:
        raise declaration_error(
            where, f"{type(model).__name__} cannot be fitted: {' '.join(str(error).split())}"
        ) from error
    if parallel:
        worker.set_params(n_jobs=None)
    return plain(worker)
