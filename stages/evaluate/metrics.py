"""Metrics of a model's predictions, per model and per class, and tests between models."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    classification_report,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

Codes = NDArray[np.int64]


def accuracy(labels: Codes, predicted: Codes) -> float | None:
    """Return the share of correct predictions, 0-1; None for an empty set."""
    return float(accuracy_score(labels, predicted)) if len(labels) else None


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval for a proportion.

    Parameters
    ----------
    right : int
        Number of successes.
    n : int
        Number of trials, at least 1.

    Returns
    -------
    low, high : float
        0-1.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    interval = binomtest(right, n).proportion_ci(confidence_level=0.95, method="wilson")
    return float(interval.low), float(interval.high)


def chance(labels: Codes) -> float | None:
    """Return the accuracy of always predicting the most frequent class; None if there is only one class."""
    shares = np.bincount(labels) / len(labels)
    return float(shares.max()) if shares.max() < 1 else None


def mcnemar(labels: Codes, first: Codes, second: Codes) -> tuple[int, int, float]:
    """Test whether two models have the same error rate on the same images (McNemar's exact test, two-sided).

    Parameters
    ----------
    labels, first, second : ndarray of int64, shape (n,)
        Actual codes, and the codes that each model predicts.

    Returns
    -------
    only_first, only_second : int
        Numbers of images that only the first model, and only the second, gets right.
    p : float
        Probability of a difference at least this large between two models with the same error rate.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12 (1947).
    """
    only_first = int(np.sum((first == labels) & (second != labels)))
    only_second = int(np.sum((first != labels) & (second == labels)))
    differing = only_first + only_second
    p = float(binomtest(only_first, differing, 0.5).pvalue) if differing else 1.0
    return only_first, only_second, p


def model_metrics(
    validation: tuple[Codes, Codes],
    test: tuple[Codes, Codes],
    probabilities: NDArray[np.float32] | None,
    facts: dict[str, Any],
    classes: int,
) -> dict[str, float | int | None]:
    """Compute the metrics of one model; the keys are the same for every model.

    Parameters
    ----------
    validation, test : tuple of ndarray of int64, each shape (n,)
        Actual codes and predicted codes; the validation set may be empty.
    probabilities : ndarray of float32, shape (n, classes), or None
        For the test images; None if the model has none. If a row is zero or NaN, there is no log loss.
    facts : dict
        Written by the training stage: `train_accuracy`, `parameters`.
    classes : int
        Number of classes.

    Returns
    -------
    dict
        Accuracies, macro averages and the interval as 0-1; log loss in nats; None for what is not defined.
    """
    labels, predicted = test
    codes = np.arange(classes)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=codes, average="macro", zero_division=0.0
    )
    right = int(np.sum(labels == predicted))
    low, high = wilson(right, len(labels))
    loss = None
    if probabilities is not None and (probabilities.sum(axis=1) > 0).all():
        # Rows of float32 sum to 1 only approximately, which makes log_loss warn.
        exact = probabilities.astype(np.float64)
        loss = float(log_loss(labels, exact / exact.sum(axis=1, keepdims=True), labels=codes))
    return {
        "train_accuracy": facts["train_accuracy"],
        "validation_accuracy": accuracy(*validation),
        "test_accuracy": right / len(labels),
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_errors": len(labels) - right,
        "test_precision": float(precision),
        "test_recall": float(recall),
        "test_f1": float(f1),
        "test_log_loss": loss,
        "parameters": facts["parameters"],
    }


def report(labels: Codes, predicted: Codes, names: list[str]) -> str:
    """Return scikit-learn's classification report per class, with 4 digits, as the notebook prints it."""
    return str(
        classification_report(
            labels, predicted, labels=np.arange(len(names)), target_names=names, digits=4, zero_division=0.0
        )
    )


def per_class(model: str, labels: Codes, predicted: Codes, names: list[str]) -> pd.DataFrame:
    """Return one row per class: precision, recall and F1 (0-1), and the number of test images."""
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(len(names)), zero_division=0.0
    )
    return pd.DataFrame(
        {"model": model, "class": names, "precision": precision, "recall": recall, "f1": f1, "support": support}
    )


def confusion(labels: Codes, predicted: Codes, classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix: int64, (classes, classes), actual classes as rows, predicted ones as columns."""
    return np.asarray(confusion_matrix(labels, predicted, labels=np.arange(classes)), np.int64)
