"""Training a net, and letting it predict."""

import math
import os
import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from stages.shared.errors import UserError
from stages.shared.process.console import progress, say

Images = NDArray[np.float32]
Codes = NDArray[np.int64]

PREDICT_BATCH = 250  # rows at once; more gains nothing, and the layers' outputs for them have to fit into memory
STEPS_AT_ONCE = 16  # between which nothing is done in Python, which would take longer than a small net's step
SUMMARY_COLUMNS = "120"  # more than Keras ever fills
SMALLER = "lower batch_size, or make the layers smaller"
REMEDY = "try a lower learning rate or another initialisation"


def train(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    images: Images,
    labels: Codes,
    validation: tuple[Images, Codes] | None,
    *,
    epochs: int,
    batch_size: int,
    patience: int | None,
    name: str,
) -> pd.DataFrame:
    """Train a net in place.

    Parameters
    ----------
    model : keras.Model
        Takes (n, height, width, 1), gives probabilities (n, classes).
    optimizer : keras.optimizers.Optimizer
        Fresh.
    images : ndarray of float32, shape (n, height, width)
        0-1.
    labels : ndarray of int64, shape (n,)
        Class codes.
    validation : tuple of such images and labels, or None
        Judges the net after each epoch.
    epochs : int
        The most passes over the rows.
    batch_size : int
        Rows a step.
    patience : int or None
        With a validation set: stop after this many epochs in a row without a new lowest validation loss, and go
        back to the weights of the lowest. None keeps the weights of the last epoch.
    name : str
        The net's name, for progress.

    Returns
    -------
    DataFrame
        A row an epoch: epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss. The
        losses contain the regularisation.

    Raises
    ------
    UserError
        A loss or a weight is no finite number any more, or TensorFlow gets no memory.
    """
    finite = _counting_finite_losses(model)
    model.compile(
        optimizer=optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=STEPS_AT_ONCE,
    )
    callbacks: list[keras.callbacks.Callback] = []
    if patience is not None and validation is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(monitor="val_loss", mode="min", patience=patience, restore_best_weights=True)
        )
    with progress(name, epochs * steps(len(images), batch_size), "steps") as advance:
        try:
            history = model.fit(
                batches(images, labels, batch_size, seed=random.getrandbits(31)),
                epochs=epochs,
                shuffle=False,  # the batches are
                validation_data=None if validation is None else batches(*validation, PREDICT_BATCH),
                callbacks=[*callbacks, _Watch(name, epochs, advance, finite)],
                verbose=0,
            ).history
        except tf.errors.ResourceExhaustedError as error:
            reason = str(error.message).strip().splitlines()[0]
            raise UserError(f"{name}: there is too little memory: {reason}; {SMALLER}") from None
    table = pd.DataFrame({"epoch": range(1, len(history["loss"]) + 1)})
    for column in ("accuracy", "loss", "val_accuracy", "val_loss"):
        if column in history:
            table[column] = history[column]
    return table


def batches(images: Images, labels: Codes | None, batch_size: int, seed: int | None = None) -> tf.data.Dataset:
    """Divide rows into batches.

    Given arrays, Keras would do so too, but with tf.data's self-tuning: its thread sleeps longer and longer, and the
    end of each epoch waits for it to wake up, for a third of the time of a long one.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
    labels : ndarray of int64, shape (n,), or None
    batch_size : int
        Rows a batch; the last one has those that are left.
    seed : int or None
        Of the order of the rows, which is another one in every epoch; None keeps theirs.

    Returns
    -------
    tf.data.Dataset
        Of images (batch, height, width, 1), with their labels if given.
    """
    parts = tuple(tf.constant(part) for part in (images[..., np.newaxis], labels) if part is not None)
    rows = tf.data.Dataset.range(len(images))
    if seed is not None:
        rows = rows.shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    data = rows.batch(batch_size).map(lambda which: tuple(tf.gather(part, which) for part in parts)).prefetch(1)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False  # rewriting the graph copies the tensors
    return data.with_options(options)


def steps(rows: int, batch_size: int) -> int:
    """Return the number of steps of an epoch; the last one takes the rows that are left."""
    return math.ceil(rows / batch_size)


def best_epoch(history: pd.DataFrame, patience: int | None) -> int:
    """Return the epoch (from 1) whose weights a net kept.

    Parameters
    ----------
    history : DataFrame
        As `train` returns it.
    patience : int or None
        As given to `train`.
    """
    if patience is None or "val_loss" not in history:
        return int(history["epoch"].iloc[-1])
    return int(history["epoch"].iloc[int(history["val_loss"].to_numpy().argmin())])


def probabilities(model: keras.Model, images: Images) -> NDArray[np.float32]:
    """Let a net judge images.

    Parameters
    ----------
    model : keras.Model
        Takes (n, height, width, 1).
    images : ndarray of float32, shape (n, height, width)
        0-1; n may be 0.

    Returns
    -------
    ndarray of float32, shape (n, classes)
        0-1, each row adds up to 1.
    """
    if not len(images):
        return np.empty((0, model.output_shape[-1]), np.float32)
    return np.asarray(model.predict(batches(images, None, PREDICT_BATCH), verbose=0), np.float32)


def summary(model: keras.Model) -> str:
    """Return Keras's summary of a net, the same whatever the width of the terminal."""
    before = os.environ.get("COLUMNS")
    # Keras and the library that draws its tables both ask for the width, and cut to the narrower of theirs.
    os.environ["COLUMNS"] = SUMMARY_COLUMNS
    try:
        texts: list[str] = []
        model.summary(print_fn=texts.append)
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return "\n".join(texts) + "\n"


def _counting_finite_losses(model: keras.Model) -> tf.Variable:
    """Let a net count the steps whose loss is finite: several run without Python, which could tell only the last."""
    finite = tf.Variable(0, trainable=False, dtype=tf.int64)
    step = model.train_step

    def counted(data: Any) -> Any:
        logs = step(data)
        # The mean over the epoch so far: no number ever after once it is none.
        finite.assign_add(tf.cast(tf.math.is_finite(logs["loss"]), tf.int64))
        return logs

    model.train_step = counted
    return finite


class _Watch(keras.callbacks.Callback):
    """Shows progress, and stops a training that has gone astray."""

    def __init__(self, name: str, epochs: int, advance: Callable[[int], None], finite: tf.Variable) -> None:
        super().__init__()
        self._name, self._epochs, self._advance, self._finite = name, epochs, advance, finite
        self._steps = 0  # of this epoch
        self._epoch = 1

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._steps, self._epoch = 0, epoch + 1
        self._finite.assign(0)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Keras counts the last execution of an epoch as if it were full.
        done = min(batch + 1, self.params["steps"])
        self._advance(done - self._steps)
        self._steps = done
        loss = float((logs or {})["loss"])
        if not math.isfinite(loss):
            step = int(self._finite.numpy()) + 1
            raise UserError(
                f"{self._name}: the training loss is {loss} in step {step} of {self.params['steps']} of epoch "
                f"{self._epoch}; {REMEDY}"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        if not math.isfinite(loss := logs.get("val_loss", 0.0)):
            raise UserError(f"{self._name}: the validation loss is {loss} after epoch {epoch + 1}; {REMEDY}")
        # What is no number need not show in a loss: ReLU may turn it into 0, and no loss follows the last step.
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise UserError(f"{self._name}: weights are no finite numbers after epoch {epoch + 1}; {REMEDY}")
        validated = f", validation {logs['val_accuracy']:.4f}" if "val_accuracy" in logs else ""
        say(
            f"{self._name}: epoch {epoch + 1} of at most {self._epochs}: "
            f"accuracy {logs['accuracy']:.4f}, loss {logs['loss']:.4f}{validated}"
        )
