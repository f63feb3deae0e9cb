"""Faster versions of some scikit-learn classifiers; the saved model is always scikit-learn's own class."""

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
    """Return a faster classifier with the same parameters and fitted attributes, or the model itself if there is none.

    Parameters
    ----------
    model : ClassifierMixin
        Fitted or not. It is not changed; the result shares its arrays.
    """
    # The exact class: a subclass may behave differently.
    faster = FASTER.get(type(model))
    return model if faster is None else _as_class(faster, model)


def plain(model: ClassifierMixin) -> ClassifierMixin:
    """Return the scikit-learn classifier of a faster one, which any program can load: the reverse of `accelerated`.

    Parameters
    ----------
    model : ClassifierMixin
        Fitted or not. It is not changed; the result shares its arrays.
    """
    return next((_as_class(own, model) for own, faster in FASTER.items() if type(model) is faster), model)


def _as_class(cls: type[ClassifierMixin], model: ClassifierMixin) -> ClassifierMixin:
    twin = cls()
    # LinearSVC has no `n_jobs`.
    vars(twin).update({name: value for name, value in vars(model).items() if name != "n_jobs" or hasattr(twin, name)})
    return twin


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Limit the numerical libraries to a number of processor cores; 0 means no limit."""
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
