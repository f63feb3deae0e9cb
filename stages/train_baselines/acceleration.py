"""Faster classes for some of scikit-learn's, with the same results; what is saved is always scikit-learn's own."""

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from sklearn.base import ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC
from threadpoolctl import threadpool_limits

from stages.train_baselines import kernel_svm, linear_svm, neighbours


def accelerated(model: ClassifierMixin) -> ClassifierMixin:
    """Return a faster classifier with the same settings and fitted state, or the model itself if there is none."""
    # The exact class: a subclass may mean something else.
    if type(model) is KNeighborsClassifier:
        return neighbours.accelerated(model)
    if type(model) is SVC:
        return kernel_svm.accelerated(model)
    if type(model) is LinearSVC:
        return linear_svm.accelerated(model)
    return model


def plain(model: ClassifierMixin) -> ClassifierMixin:
    """Return the scikit-learn classifier that a faster one stands for; the reverse of `accelerated`."""
    if isinstance(model, neighbours.ExactNeighboursClassifier):
        return neighbours.plain(model)
    if isinstance(model, kernel_svm.FastSVC):
        return kernel_svm.plain(model)
    if isinstance(model, linear_svm.ParallelLinearSVC):
        return linear_svm.plain(model)
    return model


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
