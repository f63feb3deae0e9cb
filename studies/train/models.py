"""Trains a model of a study, as the stages of the pipeline do."""

import io
import math
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from sklearn.metrics import log_loss

from stages.shared.files.predictions import Predictions
from stages.shared.models import build_classifier
from stages.shared.models.build_net import build, make_optimizer
from stages.shared.params.declared import Declared
from stages.shared.params.nets_section import Net
from stages.train_baselines import acceleration
from stages.train_baselines.fitting import fit
from stages.train_baselines.predicting import parameter_count, predictions
from stages.train_nets.training import best_epoch, probabilities, steps, train
from studies.train.data import Codes, Data, Images
from studies.train.subsets import epochs_for, stopping_rows, stratified_order


def start(threads: int) -> None:
    """Set the number of processor cores of TensorFlow, before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)


def train_model(
    name: str,
    declaration: Mapping[str, Any],
    rows: int | None,
    seed: int,
    data: Data,
    threads: int,
) -> tuple[dict[str, Any], Codes]:
    """Train a model and measure it; the same arguments give the same result.

    Parameters
    ----------
    name : str
        Of the model.
    declaration : mapping
        As in params.yaml: a net has the key `layers`, any other model is a baseline.
    rows : int or None
        Number of training rows, those that decide early stopping included; None: all, and the validation set decides
        early stopping, as in the pipeline.
    seed : int
        Of the rows, the initial weights and the order of the rows.
    data : Data
        The split.
    threads : int
        Number of processor cores, at least 1; for a net, that of `start`.

    Returns
    -------
    facts : dict
        parameters, epochs (int or None), train_accuracy, validation_accuracy (0-1) and validation_loss (or None).
    test_codes : ndarray of int64, shape (n,)
        Predicted codes of the test images.

    Raises
    ------
    UserError
        The model cannot be trained.
    """
    subset = stratified_order(data.labels, seed)[:rows]
    if "layers" in declaration:
        net = Net.model_validate(declaration)
        stopping = (data.validation_images, data.validation_labels) if net.early_stopping else None
        if rows is not None and net.early_stopping:
            subset, last = stopping_rows(subset)
            stopping = data.images[last], data.labels[last]
        return _train_net(name, net, seed, data, subset, stopping)
    return _fit_baseline(name, Declared.model_validate(declaration), seed, data, subset, threads)


def _train_net(
    name: str, net: Net, seed: int, data: Data, rows: Codes, stopping: tuple[Images, Codes] | None
) -> tuple[dict[str, Any], Codes]:
    height, width = data.images.shape[1:]
    keras.utils.clear_session()  # frees the net before
    keras.utils.set_random_seed(seed)
    model = build(name, net, height, width, len(data.names))
    epochs = epochs_for(len(rows), net.epochs, net.batch_size, len(data.labels))
    # In proportion: as many steps without an improvement.
    patience = math.ceil(net.early_stopping.patience * epochs / net.epochs) if net.early_stopping else None
    images, labels = data.images[rows], data.labels[rows]
    with redirect_stdout(io.StringIO()):  # a line per epoch would be too many
        history = train(
            model,
            make_optimizer(net.optimizer, epochs * steps(len(rows), net.batch_size), ("nets", name, "optimizer")),
            images,
            labels,
            stopping,
            epochs=epochs,
            batch_size=net.batch_size,
            patience=patience,
            name=name,
        )
    facts = {"parameters": model.count_params(), "epochs": best_epoch(history, patience)}
    own, validation, test = (
        Predictions(scores.argmax(axis=1), scores, "probability")
        for scores in (probabilities(model, each) for each in (images, data.validation_images, data.test_images))
    )
    return {**facts, **_measured(labels, own, data, validation)}, test.codes


def _fit_baseline(
    name: str, declared: Declared, seed: int, data: Data, rows: Codes, threads: int
) -> tuple[dict[str, Any], Codes]:
    where = ("baselines", name)
    unfitted = build_classifier.build(declared.class_, declared.settings, seed, where)
    labels = data.labels[rows]
    X, *others = (each.reshape(len(each), -1) for each in (data.images[rows], data.validation_images, data.test_images))
    with acceleration.threads(threads):
        fitted = fit(unfitted, X, labels, threads, where)
        model = acceleration.accelerated(fitted)
        own, validation, test = (predictions(model, each, len(data.names)) for each in (X, *others))
    facts = {"parameters": parameter_count(fitted), "epochs": None}
    return {**facts, **_measured(labels, own, data, validation)}, test.codes


def _measured(labels: Codes, own: Predictions, data: Data, validation: Predictions) -> dict[str, float | None]:
    loss = None
    if validation.kind == "probability" and validation.scores.size:
        loss = float(log_loss(data.validation_labels, validation.scores, labels=range(len(data.names))))
    return {
        "train_accuracy": float(np.mean(own.codes == labels)),
        "validation_accuracy": float(np.mean(validation.codes == data.validation_labels)),
        "validation_loss": loss,
    }
