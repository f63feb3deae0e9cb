"""Predictions and scores of a fitted classifier."""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

from stages.shared.errors import UserError, one_line
from stages.shared.files.predictions import Predictions, ScoreKind
from stages.train_baselines.acceleration import plain


def predictions(model: ClassifierMixin, X: NDArray[np.float32], classes: int) -> Predictions:
    """Predict classes, with probabilities or decision values if the classifier has them.

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
        The codes are those of `model.predict`: an SVC's prediction is not always the argmax of its scores.

    Raises
    ------
    UserError
        The classifier cannot predict an image, such as one without neighbours within a radius.
    """
    kind = score_kind(model)
    if not len(X):
        columns = 0 if kind == "none" else classes
        return Predictions(np.empty(0, np.int64), np.empty((0, columns), np.float32), kind)
    try:
        scores = _scores(model, X, classes, kind)
        if isinstance(model, KNeighborsClassifier) and model.weights in ("uniform", None):
            # It predicts the most frequent label, the first one of a tie, so a second search is not needed.
            return Predictions(scores.argmax(axis=1).astype(np.int64), scores, kind)
        return Predictions(np.asarray(model.predict(X), np.int64), scores, kind)
    except Exception as error:  # scikit-learn raises ValueError and TypeError, other packages their own
        raise UserError(f"{type(plain(model)).__name__} cannot predict: {one_line(error)}") from error


def score_kind(model: ClassifierMixin) -> ScoreKind:
    """Return the kind of scores that a classifier has."""
    if hasattr(model, "predict_proba"):
        return "probability"
    return "decision" if hasattr(model, "decision_function") else "none"


def parameter_count(model: ClassifierMixin) -> int | None:
    """Return the number of weights of a linear classifier, or None for another classifier."""
    coefficients = getattr(model, "coef_", None)
    if not isinstance(coefficients, np.ndarray):
        return None
    return int(coefficients.size + np.size(getattr(model, "intercept_", ())))


def _scores(model: ClassifierMixin, X: NDArray[np.float32], classes: int, kind: ScoreKind) -> NDArray[np.float32]:
    if kind == "none":
        return np.empty((len(X), 0), np.float32)
    raw = np.asarray(model.predict_proba(X) if kind == "probability" else model.decision_function(X))
    if raw.ndim == 1:
        # For two classes, one value: positive for the second.
        raw = np.column_stack([-raw, raw])
    if raw.shape[1] != len(model.classes_):
        # One value per pair of classes (SVC with decision_function_shape='ovo') instead of one per class.
        return np.empty((len(X), 0), np.float32)
    scores = np.full((len(X), classes), 0.0 if kind == "probability" else -np.inf, np.float32)
    scores[:, np.asarray(model.classes_, int)] = raw
    return scores
