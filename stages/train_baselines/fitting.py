"""Fitting a declared classifier."""

import numpy as np
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression

from stages.shared.errors import one_line
from stages.shared.params.mistakes import declaration_error
from stages.shared.params.yaml_file import Place
from stages.train_baselines.acceleration import accelerated, plain


def fit(
    model: ClassifierMixin, X: NDArray[np.float32], y: NDArray[np.int64], threads: int, where: Place
) -> ClassifierMixin:
    """Fit a classifier, in parallel where it can be.

    Parameters
    ----------
    model : ClassifierMixin
        Not fitted; it is not changed.
    X : ndarray of float32, shape (n, features)
        Images as rows, 0-1.
    y : ndarray of int64, shape (n,)
        Class codes.
    threads : int
        Number of processor cores; 0 uses all.
    where : Place
        The keys of the declaration in params.yaml, for messages.

    Returns
    -------
    ClassifierMixin
        A fitted classifier of scikit-learn's own class, whose parameters do not depend on `threads`.

    Raises
    ------
    DeclarationError
        The classifier rejects the data, or its settings do not suit them.
    """
    worker = accelerated(clone(model))
    # LogisticRegression's is deprecated.
    parallel = hasattr(worker, "n_jobs") and type(worker) is not LogisticRegression
    if parallel:
        worker.n_jobs = threads or -1
    try:
        # Threads end with this process; joblib's worker processes would outlive a signal for minutes.
        with parallel_config(backend="threading"):
            worker.fit(X, y)
    except OSError:
        raise  # the declaration is not at fault
    except Exception as error:  # LightGBM has an exception of its own, scikit-learn raises several
        reason = one_line(error) or type(error).__name__  # a MemoryError may have no text
        raise declaration_error(where, f"{type(model).__name__} cannot be fitted: {reason}") from error
    if parallel:
        worker.n_jobs = None
    return plain(worker)
