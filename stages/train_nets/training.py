"""Training a neural net and predicting with it."""

import io
import math
import os
import random
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from numpy.typing import NDArray

from stages.shared.errors import UserError, one_line
from stages.shared.models.training_step import compile_net, not_finite_layer
from stages.shared.process.console import progress, say

Images = NDArray[np.float32]
Codes = NDArray[np.int64]

PREDICT_BATCH = 250  # rows; larger batches are not faster, and their layer outputs take more memory
EXAMPLES, DRAWS = 4, 500  # images, and random numbers for them, with which a layer that returns NaN is looked for
STEPS_AT_ONCE = 16  # steps between two returns to Python, which take longer than a step of a small net
SUMMARY_COLUMNS = "120"  # wider than any table of Keras
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
        From images (n, height, width, 1) to probabilities (n, classes).
    optimizer : keras.optimizers.Optimizer
        Not used before.
    images : ndarray of float32, shape (n, height, width)
        0-1.
    labels : ndarray of int64, shape (n,)
        Class codes.
    validation : tuple of images and labels, or None
        Evaluated after each epoch.
    epochs : int
        Maximum number of passes over the rows.
    batch_size : int
        Rows per step.
    patience : int or None
        With a validation set: stop after this many epochs in a row without a new lowest validation loss, and restore
        the weights of the lowest. None keeps the weights of the last epoch.
    name : str
        Name of the net, for console output.

    Returns
    -------
    DataFrame
        One row per epoch: epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss. The
        losses include regularisation.

    Raises
    ------
    UserError
        A loss or a weight is not finite, or TensorFlow runs out of memory.
    """
    compile_net(model, optimizer, STEPS_AT_ONCE)
    callbacks: list[keras.callbacks.Callback] = []
    may_stop = patience is not None and validation is not None
    if may_stop:
        callbacks.append(
            keras.callbacks.EarlyStopping(monitor="val_loss", mode="min", patience=patience, restore_best_weights=True)
        )
    with progress(name, epochs * steps(len(images), batch_size), "steps", at_most=may_stop) as advance:
        last = f"at most {epochs}" if may_stop else f"{epochs}"
        monitor = _Monitor(name, last, advance, images[:EXAMPLES, ..., np.newaxis])
        try:
            history = model.fit(
                batches(images, labels, batch_size, seed=random.getrandbits(31)),
                epochs=epochs,
                shuffle=False,  # `batches` shuffles
                validation_data=None if validation is None else batches(*validation, PREDICT_BATCH),
                callbacks=[*callbacks, monitor],
                verbose=0,
            ).history
        except tf.errors.ResourceExhaustedError as error:
            reason = one_line(str(error.message).strip().splitlines()[0])
            raise UserError(f"{name}: out of memory: {reason}; lower batch_size, or use smaller layers") from None
    columns = [column for column in ("accuracy", "loss", "val_accuracy", "val_loss") if column in history]
    return pd.DataFrame(
        {"epoch": range(1, len(history["loss"]) + 1), **{column: history[column] for column in columns}}
    )


def batches(images: Images, labels: Codes | None, batch_size: int, seed: int | None = None) -> tf.data.Dataset:
    """Divide rows into batches.

    Keras would do this for arrays too, but with tf.data's autotuning: its thread sleeps for longer and longer, and
    the end of each epoch waits for it, for up to a third of the time of a long epoch.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
    labels : ndarray of int64, shape (n,), or None
    batch_size : int
        Rows per batch; the last batch has the remaining rows.
    seed : int or None
        Shuffles the rows, in a different order in each epoch. None keeps the order.

    Returns
    -------
    tf.data.Dataset
        Of images (batch, height, width, 1), with their labels if given.
    """
    parts = tuple(tf.constant(part) for part in (images[..., np.newaxis], labels) if part is not None)
    rows = tf.data.Dataset.range(len(images))
    if seed is not None:
        rows = rows.shuffle(len(images), seed=seed, reshuffle_each_iteration=True)
    data = rows.batch(batch_size).map(lambda batch: tuple(tf.gather(part, batch) for part in parts)).prefetch(1)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False  # they would copy the tensors
    return data.with_options(options)


def steps(rows: int, batch_size: int) -> int:
    """Return the number of steps per epoch; the last step takes the remaining rows."""
    return math.ceil(rows / batch_size)


def best_epoch(history: pd.DataFrame, patience: int | None) -> int:
    """Return the epoch (from 1) whose weights were kept.

    Parameters
    ----------
    history : DataFrame
        As returned by `train`.
    patience : int or None
        As passed to `train`.
    """
    if patience is None or "val_loss" not in history:
        return int(history["epoch"].iloc[-1])
    return int(history["epoch"].iloc[int(history["val_loss"].to_numpy().argmin())])


def probabilities(model: keras.Model, images: Images) -> NDArray[np.float32]:
    """Predict the probability of each class.

    Parameters
    ----------
    model : keras.Model
        Takes (n, height, width, 1).
    images : ndarray of float32, shape (n, height, width)
        0-1; n may be 0.

    Returns
    -------
    ndarray of float32, shape (n, classes)
        0-1; each row sums to 1.
    """
    if not len(images):
        return np.empty((0, model.output_shape[-1]), np.float32)
    return np.asarray(model.predict(batches(images, None, PREDICT_BATCH), verbose=0), np.float32)


def summary(model: keras.Model) -> str:
    """Return Keras's summary of a net, independent of the width and the encoding of the terminal."""
    lines: list[str] = []
    # Keras and rich, which draws its tables, both read this variable.
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = SUMMARY_COLUMNS
    try:
        # rich draws other lines if the encoding of standard output is not UTF-8.
        with redirect_stdout(io.StringIO()):
            model.summary(print_fn=lines.append)
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    return "\n".join(lines).rstrip() + "\n"


class _Monitor(keras.callbacks.Callback):
    """Reports progress, and stops training if a loss or a weight is not finite."""

    def __init__(self, name: str, last: str, advance: Callable[[int], None], examples: Images) -> None:
        super().__init__()
        self._name, self._last, self._advance, self._examples = name, last, advance, examples
        self._steps = 0  # of this epoch
        self._epoch = 1

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._steps, self._epoch = 0, epoch + 1

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # Keras counts the last execution of an epoch as if it had all STEPS_AT_ONCE steps.
        done = min(batch + 1, self.params["steps"])
        self._advance(done - self._steps)
        self._steps = done
        # The mean over the epoch so far: once it is not finite, it stays so.
        self._require_finite((logs or {})["loss"], f"the training loss after step {done} of {self.params['steps']} is")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        self._require_finite(logs.get("val_loss", 0.0), "the validation loss is")
        # NaN weights can leave the loss finite: ReLU may turn NaN into 0, and no loss follows the last step.
        for weight in self.model.get_weights():
            self._require_finite(weight, "the weights are")
        line = f"{self._name}: epoch {epoch + 1} of {self._last}: {_scores(logs, '')}"
        say(f"{line}; validation: {_scores(logs, 'val_')}" if "val_loss" in logs else line)

    def _require_finite(self, values: Any, what: str) -> None:
        if np.isfinite(values).all():
            return
        layer, remedy = not_finite_layer(self.model, self._examples, DRAWS), REMEDY
        if layer is not None:
            remedy = f"layer '{layer.name}' ({type(layer).__name__}) returns such values, in {layer.compute_dtype}"
        raise UserError(f"{self._name}: epoch {self._epoch}: {what} not finite; {remedy}")


def _scores(logs: dict[str, Any], prefix: str) -> str:
    return f"accuracy {logs[prefix + 'accuracy']:.4f}, loss {logs[prefix + 'loss']:.4f}"
