"""Fits a classifier to a few synthetic images, to see whether it can be saved and its weights drawn."""

import io
import warnings
from collections.abc import Iterator, Mapping

import numpy as np
from sklearn.base import ClassifierMixin, clone

from stages.shared.errors import one_line
from stages.shared.files.skops_models import dump
from stages.shared.models import build_classifier
from stages.shared.models.classifier_packages import PACKAGES, package_of
from stages.shared.models.drawable_weights import COEFFICIENTS, linear_weights
from stages.shared.params.declared import Declared
from stages.shared.params.mistakes import Mistake
from stages.shared.params.pictures_section import WeightMap
from stages.shared.trials.pictures import picture_mistakes

CLASSES = 4  # at most; four classes make six pairs, which tells one-vs-rest from one-vs-one weights
ROWS_PER_CLASS = 10  # enough for five-fold cross-validation
SIDE = 8  # pixels
ROUNDS = 2  # in place of larger values of the following settings
ROUND_SETTINGS = ("max_iter", "n_estimators")


def baseline_mistakes(
    name: str, declared: Declared, pictures: Mapping[str, WeightMap], classes: int, seed: int
) -> Iterator[Mistake]:
    """Find what keeps a declared classifier from being fitted, saved or drawn; arguments as of `check_models`."""
    model = build_classifier.build(declared.class_, declared.settings, seed, ("baselines", name))
    try:
        trained = fitted(model, classes)
    except Exception as error:
        # scikit-learn has checked the settings, so that the data may be the reason; other packages check them only now.
        if package_of(type(model)) in PACKAGES:
            yield Mistake(("baselines", name), f"{declared.class_} cannot be fitted: {one_line(error)}")
        return
    if reason := why_not_saved(trained):
        yield Mistake(("baselines", name), reason)
    yield from picture_mistakes(name, pictures, map_counts(trained, classes), set())


def fitted(model: ClassifierMixin, classes: int) -> ClassifierMixin:
    """Fit a copy of a classifier to synthetic images.

    Parameters
    ----------
    model : ClassifierMixin
        Unfitted; it is not changed.
    classes : int
        Number of classes of the data set; at most `CLASSES` are used.

    Returns
    -------
    ClassifierMixin
        Fitted.

    Raises
    ------
    Exception
        Any of the library's, if the fit fails; it may succeed on the real data.
    """
    worker: ClassifierMixin = clone(model)
    rng = np.random.default_rng(0)
    n_classes = min(classes, CLASSES)
    y = np.repeat(np.arange(n_classes), ROWS_PER_CLASS)
    X = rng.random((len(y), SIDE * SIDE), np.float32) / 2
    X[:, :n_classes] += np.eye(n_classes, dtype=np.float32)[y] / 2  # one bright pixel per class
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few rounds do not converge
        rounds = {
            key: ROUNDS
            for key, value in worker.get_params().items()
            if key.rpartition("__")[2] in ROUND_SETTINGS and isinstance(value, int) and value > ROUNDS
        }
        return worker.set_params(**rounds).fit(X, y)


def why_not_saved(model: ClassifierMixin) -> str | None:
    """Return why a fitted classifier cannot be saved, or None if it can."""
    return dump(model, io.BytesIO())


def map_counts(model: ClassifierMixin, classes: int) -> dict[str, int]:
    """Return the number of weight maps under "coefficients" for a fitted linear classifier; else an empty dict."""
    names = [str(code) for code in range(min(classes, CLASSES))]
    drawn = linear_weights(model, SIDE, SIDE, names)
    # A linear classifier of two classes has one row of weights.
    return {COEFFICIENTS: classes if classes > 2 else 1} if drawn else {}
