"""Fits a classifier to a few synthetic images, to see whether it can be saved and its weights drawn."""

import io
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
# In place of larger values: few rounds suffice, and the trial has few rows.
LARGEST = {"max_iter": 2, "n_estimators": 2, "n_neighbors": 5}


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
    if reason := why_no_prediction(trained, classes):
        yield Mistake(("baselines", name), f"{declared.class_} cannot predict with these settings: {reason}")
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
    X, y = examples(classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few rounds do not converge
        smaller = {}
        for key, value in worker.get_params().items():
            largest = LARGEST.get(key.rpartition("__")[2])
            if largest is not None and isinstance(value, int) and value > largest:
                smaller[key] = largest
        return worker.set_params(**smaller).fit(X, y)


def examples(classes: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return synthetic images as rows, 0-1, and their class codes: `ROWS_PER_CLASS` of at most `CLASSES` classes."""
    rng = np.random.default_rng(0)
    n_classes = min(classes, CLASSES)
    y = np.repeat(np.arange(n_classes), ROWS_PER_CLASS)
    X = rng.random((len(y), SIDE * SIDE), np.float32) / 2
    X[:, :n_classes] += np.eye(n_classes, dtype=np.float32)[y] / 2  # one bright pixel per class
    return X, y


def why_no_prediction(model: ClassifierMixin, classes: int) -> str | None:
    """Return why a fitted classifier cannot predict the images to which it was fitted, or None if it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.predict(examples(classes)[0])
    except Exception as error:  # as in `baseline_mistakes`
        return one_line(error)
    return None


def why_not_saved(model: ClassifierMixin) -> str | None:
    """Return why a fitted classifier cannot be saved, or None if it can."""
    return dump(model, io.BytesIO())


def map_counts(model: ClassifierMixin, classes: int) -> dict[str, int]:
    """Return the number of weight maps under "coefficients" for a fitted linear classifier; else an empty dict."""
    names = [str(code) for code in range(min(classes, CLASSES))]
    drawn = linear_weights(model, SIDE, SIDE, names)
    # A linear classifier of two classes has one row of weights.
    return {COEFFICIENTS: classes if classes > 2 else 1} if drawn else {}
