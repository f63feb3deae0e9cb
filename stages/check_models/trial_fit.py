"""A classifier fitted to a few synthetic images: what it holds then tells whether it can be saved, and drawn."""

import io
import warnings

import numpy as np
from sklearn.base import ClassifierMixin, clone

from stages.shared.files.skops_models import dump
from stages.shared.models.drawable_weights import COEFFICIENTS, linear_weights

CLASSES = 4  # so that a row of weights a class is told from a row a pair of classes
ROWS = 10  # a class: enough for five-fold cross-validation
SIDE = 8  # pixels
ROUNDS = 2  # of what is repeated: more of them make more of the same
REPEATED = ("max_iter", "n_estimators")


def fitted(model: ClassifierMixin, classes: int) -> ClassifierMixin | None:
    """Fit a copy to synthetic images of so many classes; None where it refuses them: the real ones may do.

    Parameters
    ----------
    model : ClassifierMixin
        Not fitted; it is left as it is.
    classes : int
        The data set's number; at most `CLASSES` are used.
    """
    worker: ClassifierMixin = clone(model)
    random = np.random.default_rng(0)
    y = np.repeat(np.arange(min(classes, CLASSES)), ROWS)
    X = random.random((len(y), SIDE * SIDE), np.float32) / 2
    X[:, : len(np.unique(y))] += np.eye(len(np.unique(y)), dtype=np.float32)[y] / 2  # a bright pixel a class
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of rounds that were too few
        try:
            rounds = {
                key: ROUNDS
                for key, value in worker.get_params().items()
                if key.rpartition("__")[2] in REPEATED and isinstance(value, int) and value > ROUNDS
            }
            return worker.set_params(**rounds).fit(X, y)
        except Exception:  # a library's own: so few rows, pixels or rounds do not suit it
            return None


def why_not_saved(model: ClassifierMixin) -> str | None:
    """Say why a fitted classifier cannot be saved, or None."""
    return dump(model, io.BytesIO())


def maps(model: ClassifierMixin, classes: int) -> dict[str, int]:
    """Return how many maps of its pixels' weights the fitted classifier has, under "coefficients"; else nothing."""
    names = [str(code) for code in range(min(classes, CLASSES))]
    found = linear_weights(model, SIDE, SIDE, names)
    # A linear classifier of two classes has one row of weights.
    return {COEFFICIENTS: classes if classes > 2 else 1} if found else {}
