"""Faster classes for some of scikit-learn's, with the same results; what is saved is always scikit-learn's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from sklearn.base import ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from stages.train_baselines.kernel_svm import FastSVC
from stages.train_baselines.linear_svm import ParallelLinearSVC
from stages.train_baselines.neighbours import ExactNeighboursClassifier

FASTER: dict[type[ClassifierMixin], type[ClassifierMixin]] = {
    KNeighborsClassifier: ExactNeighboursClassifier,
    LinearSVC: ParallelLinearSVC,
    SVC: FastSVC,
}


def accelerated(model: ClassifierMixin) -> ClassifierMixin:
    """Return a faster classifier with the same settings and fitted state, or the model itself if there is none.

    Parameters
    ----------
    model : ClassifierMixin
        Fitted or not. It is not changed, and the result shares its arrays.
    """
    # The exact class: a subclass may mean something else.
    faster = FASTER.get(type(model))
    return model if faster is None else _as_class(faster, model)


def plain(model: ClassifierMixin) -> ClassifierMixin:
    """Return the scikit-learn classifier that a faster one stands for, which any scikit-learn can load from disk.

    The reverse of `accelerated`.

    Parameters
    ----------
    model : ClassifierMixin
        Fitted or not. It is not changed, and the result shares its arrays.
    """
    return next((_as_class(own, model) for own, faster in FASTER.items() if type(model) is faster), model)


def _as_class(cls: type[ClassifierMixin], model: ClassifierMixin) -> ClassifierMixin:
    settings = model.get_params(deep=False)
    # A faster class may have settings more, such as `n_jobs`.
    foreign = settings.keys() - cls().get_params(deep=False).keys()
    twin = cls(**{name: value for name, value in settings.items() if name not in foreign})
    vars(twin).update({name: value for name, value in vars(model).items() if name not in foreign})
    return twin


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let numerical libraries use this many processor cores; 0 leaves them all."""
    if number == 0:
        yield
        return
    before = cv2.getNumThreads()
    cv2.setNumThreads(number)
    try:
        with threadpool_limits(limits=number):
            yield
    finally:
        cv2.setNumThreads(before)
