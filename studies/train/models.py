"""Trains a model of a study, as the stages of the pipeline do."""

import io
import math
from contextlib import redirect_stdout
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.metrics import log_loss

from stages.shared.files.datasets import load_classes, load_images, load_labels
from stages.shared.files.predictions import Predictions
from stages.shared.files.weights import Weights
from stages.shared.models import build_classifier
from stages.shared.models.build_net import build, make_optimizer
from stages.shared.models.drawable_weights import linear_weights, net_weights
from stages.shared.params.declared import Declared
from stages.shared.params.nets_section import Net
from stages.train_baselines import acceleration
from stages.train_baselines.fitting import fit
from stages.train_baselines.predicting import parameter_count, predictions
from stages.train_nets.training import best_epoch, probabilities, steps, train
from studies.files import Trained
from studies.train.subsets import epochs_for, stopping_rows, stratified_order
from studies.trainings import Training

Images = NDArray[np.float32]
Codes = NDArray[np.int64]


class Data(NamedTuple):
    """The split of the pipeline, without the test labels.

    Attributes
    ----------
    images, validation_images, test_images : ndarray of float32, shape (n, height, width)
        0-1.
    labels, validation_labels : ndarray of int64, shape (n,)
        Class codes.
    names : list of str
        Class names.
    """

    images: Images
    labels: Codes
    validation_images: Images
    validation_labels: Codes
    test_images: Images
    names: list[str]


def load_data() -> Data:
    """Read the split of the pipeline, without the test labels; raises UserError."""
    return Data(
        load_images("train"),
        load_labels("train"),
        load_images("validation"),
        load_labels("validation"),
        load_images("test"),
        load_classes(),
    )


def set_threads(threads: int) -> None:
    """Set the number of processor cores of TensorFlow, before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)


def train_model(training: Training, data: Data, threads: int) -> Trained:
    """Train a model and measure it; the same arguments give the same result.

    Parameters
    ----------
    training : Training
        The declaration.
    data : Data
        The split.
    threads : int
        Number of processor cores, at least 1. For a net, TensorFlow's number must have been set already.

    Raises
    ------
    UserError
        The model cannot be trained.
    """
    rows = stratified_order(data.labels, training.seed)[: training.rows]
    trained = (_net if training.section == "nets" else _baseline)(training, data, rows, threads)
    return trained if training.keep_weights else trained._replace(maps=None)


def described(training: Training, result: Trained) -> str:
    """Return a line about a training that has ended."""
    levels = ", ".join(f"{factor} {level}" for factor, level in training.levels.items())
    return f"{levels or training.model}: validation accuracy {result.facts['validation_accuracy']:.4f}"


def _net(training: Training, data: Data, rows: Codes, threads: int) -> Trained:
    net = Net.model_validate(training.declaration)
    height, width = data.images.shape[1:]
    keras.utils.clear_session()  # frees the model before
    keras.utils.set_random_seed(training.seed)
    model = build(training.model, net, height, width, len(data.names))
    stopping = data.validation_images, data.validation_labels
    if training.rows is not None and net.early_stopping:
        rows, last = stopping_rows(rows)
        stopping = data.images[last], data.labels[last]
    epochs = epochs_for(len(rows), net.epochs, net.batch_size, len(data.labels))
    # In proportion: as many steps without an improvement.
    patience = math.ceil(net.early_stopping.patience * epochs / net.epochs) if net.early_stopping else None
    optimizer = make_optimizer(net.optimizer, epochs * steps(len(rows), net.batch_size), ("nets", training.model))
    images, labels = data.images[rows], data.labels[rows]
    with redirect_stdout(io.StringIO()):  # a line per epoch would be too many
        history = train(
            model,
            optimizer,
            images,
            labels,
            stopping if patience else None,
            epochs=epochs,
            batch_size=net.batch_size,
            patience=patience,
            name=training.model,
        )
    facts = {"parameters": model.count_params(), "epochs": best_epoch(history, patience)}
    codes, validation, test = (
        probabilities(model, each) for each in (images, data.validation_images, data.test_images)
    )
    return _trained(
        facts,
        labels,
        codes.argmax(axis=1),
        data,
        Predictions(validation.argmax(axis=1), validation, "probability"),
        test.argmax(axis=1),
        net_weights(model, height, width),
    )


def _baseline(training: Training, data: Data, rows: Codes, threads: int) -> Trained:
    declared = Declared.model_validate(training.declaration)
    where = ("baselines", training.model)
    unfitted = build_classifier.build(declared.class_, declared.settings, training.seed, where)
    X, labels = (data.images[rows].reshape(len(rows), -1)), data.labels[rows]
    with acceleration.threads(threads):
        fitted = fit(unfitted, X, labels, threads, where)
        model = acceleration.accelerated(fitted)
        own, validation, test = (
            predictions(model, each.reshape(len(each), -1), len(data.names))
            for each in (X, data.validation_images, data.test_images)
        )
    facts = {"parameters": parameter_count(fitted), "epochs": None}
    height, width = data.images.shape[1:]
    weights = linear_weights(fitted, height, width, data.names)
    return _trained(facts, labels, own.codes, data, validation, test.codes, weights)


def _trained(
    facts: dict[str, Any],
    labels: Codes,
    codes: Codes,
    data: Data,
    validation: Predictions,
    test_codes: Codes,
    weights: dict[str, Weights],
) -> Trained:
    loss = None
    if validation.kind == "probability" and validation.scores.size:
        loss = float(log_loss(data.validation_labels, validation.scores, labels=range(len(data.names))))
    facts = {
        **facts,
        "train_accuracy": float(np.mean(codes == labels)),
        "validation_accuracy": float(np.mean(validation.codes == data.validation_labels)),
        "validation_loss": loss,
    }
    first = next(iter(weights.values()), None)
    return Trained(facts, test_codes.astype(np.uint8), None if first is None else first.maps)
