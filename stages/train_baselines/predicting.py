"""A fitted classifier's predictions and scores, whatever it can give."""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

from stages.shared.errors import UserError
from stages.shared.files.predictions import Predictions, ScoreKind


def predictions(model: ClassifierMixin, X: NDArray[np.float32], classes: int) -> Predictions:
    """Predict, with probabilities or else decision values where the classifier has them.

    Parameters
    ----------
    model : ClassifierMixin
        Fitted on class codes.
    X : ndarray of float32, shape (n, features)
        Images as rows, 0-1.
    classes : int
        Number of classes of the data set.

    Returns
    -------
    Predictions
        The codes are `model.predict`'s: an SVC's prediction is not always the argmax of its scores.

    Raises
    ------
    UserError
        The classifier refuses an image: one of neighbours within a radius, where there are none.
    """
    kind = score_kind(model)
    if not len(X):
        columns = 0 if kind == "none" else classes
        return Predictions(np.empty(0, np.int64), np.empty((0, columns), np.float32), kind)
    try:
        scores = _scores(model, X, classes, kind)
        if isinstance(model, KNeighborsClassifier) and model.weights in ("uniform", None):
            # Its prediction is the neighbours' most frequent label, the first of equals: no second search is needed.
            return Predictions(scores.argmax(axis=1).astype(np.int64), scores, kind)
        return Predictions(np.asarray(model.predict(X), np.int64), scores, kind)
    except ValueError as error:
        raise UserError(f"{type(model).__name__} cannot predict: {' '.join(str(error).split())}") from error


def score_kind(model: ClassifierMixin) -> ScoreKind:
    """Say what scores a classifier gives: "probability", "decision" or "none"."""
    if hasattr(model, "predict_proba"):
        return "probability"
    return "decision" if hasattr(model, "decision_function") else "none"


def parameter_count(model: ClassifierMixin) -> int | None:
    """Count the weights of a linear classifier; None where no fixed number of weights was learned."""
    coefficients = getattr(model, "coef_", None)
    if not isinstance(coefficients, np.ndarray):
        return None
    return int(coefficients.size + np.size(getattr(model, "intercept_", ())))


def _scores(model: ClassifierMixin, X: NDArray[np.float32], classes: int, kind: ScoreKind) -> NDArray[np.float32]:
    if kind == "none":
        return np.empty((len(X), 0), np.float32)
    raw = np.asarray(model.predict_proba(X) if kind == "probability" else model.decision_function(X))
    if raw.ndim == 1:
        # Two classes: one value, positive for the second.
        raw = np.column_stack([-raw, raw])
    if raw.shape[1] != len(model.classes_):
        # One value a pair of classes (SVC with decision_function_shape='ovo'), which is no score of a class.
        return np.empty((len(X), 0), np.float32)
    scores = np.full((len(X), classes), 0.0 if kind == "probability" else -np.inf, np.float32)
    scores[:, np.asarray(model.classes_, int)] = raw
    return scores
