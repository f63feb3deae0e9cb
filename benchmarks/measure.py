"""Measurements, each in a new process: no memory, threads or caches of an earlier one affect it."""

import contextlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks import data, notebook, ours
from benchmarks.timing import timed
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params import nets_section, training_section
from stages.shared.process.environment import prepare_environment
from stages.shared.process.run import peak_memory

STEP_BATCH = 256
STEPS = 30
GROWING_ROWS = (7_000, 14_000, 28_000, 56_000)


def in_new_process(
    measurement: Callable[..., dict[str, Any]], name: str, *arguments: Any, tensorflow_defaults: bool = False
) -> dict[str, Any]:
    """Call a function of this module in a new process.

    Parameters
    ----------
    measurement : callable
        The function.
    name : str
        Name of the model, its first argument.
    *arguments
        The others.
    tensorflow_defaults : bool
        Start TensorFlow with its own defaults, not with those of the stages.

    Returns
    -------
    dict
        The function's result, and peak_memory_mb of the process.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        return executor.submit(_measure, measurement, name, arguments, tensorflow_defaults).result()


def _measure(
    measurement: Callable[..., dict[str, Any]], name: str, arguments: tuple[Any, ...], tensorflow_defaults: bool
) -> dict[str, Any]:
    prepare_environment()
    if name in nets_section.load():
        if tensorflow_defaults:
            del os.environ["TF_ENABLE_ONEDNN_OPTS"]
        else:
            start_tensorflow()
        import tensorflow  # noqa: F401  the time of its import is not measured
    with contextlib.redirect_stdout(io.StringIO()):
        result = measurement(name, *arguments)
    return {**result, "peak_memory_mb": round(peak_memory() / 1e6)}


def notebook_model(name: str) -> dict[str, Any]:
    """Train a model as the notebook does; returns what `notebook.run` does, and accuracy."""
    digits = data.load()
    measured = notebook.run(name, digits)
    if not measured["whole"]:
        return {**measured, "codes": None, "accuracy": None}
    return {**measured, "accuracy": float(np.mean(measured["codes"] == digits.test_labels))}


def our_model(name: str, seed: int | None, official: bool) -> dict[str, Any]:
    """Train a model as this project does; returns what `ours.run` does, and accuracy."""
    digits = data.load(official)
    measured = ours.run(name, digits, seed)
    return {**measured, "accuracy": float(np.mean(measured["codes"] == digits.test_labels))}


def step(name: str, fourier: bool, precision: nets_section.Precision) -> dict[str, Any]:
    """Time a training step of a net on 256 digits.

    Parameters
    ----------
    name : str
        The net.
    fourier : bool
        Whether layers declared with `method: fourier` are computed so, or by Keras.
    precision : str
        As in params.yaml.

    Returns
    -------
    dict
        milliseconds: the median step.
    """
    import keras

    net = nets_section.load_one(name)
    layers = {key: layer.model_copy(deep=True) for key, layer in net.layers.items()}
    if not fourier:
        for layer in layers.values():
            (layer.model_extra or {}).pop("method", None)
    keras.utils.set_random_seed(0)
    model = _compiled(name, net.model_copy(update={"layers": layers, "precision": precision}))
    digits = data.load(rows=7_000)
    images, labels = digits.train_images[:STEP_BATCH, ..., np.newaxis], digits.train_labels[:STEP_BATCH]
    seconds = [timed(lambda: model.train_on_batch(images, labels))[1] for _ in range(STEPS)]
    return {"milliseconds": 1000 * float(np.median(seconds[STEPS // 3 :]))}


def growth(name: str) -> dict[str, Any]:
    """Time a model on growing parts of the training rows.

    Returns
    -------
    dict
        seconds: number of rows -> for a baseline, fitting and predicting 14,000 digits; for a net, one epoch.
    """
    if name in nets_section.load():
        return {"seconds": _epoch_seconds(name)}
    seconds = {}
    for rows in GROWING_ROWS:
        measured = ours.run(name, data.load(rows=rows))
        seconds[str(rows)] = measured["fit_seconds"] + measured["predict_seconds"]
    return {"seconds": seconds}


def _epoch_seconds(name: str) -> dict[str, float]:
    import keras
    import tensorflow as tf

    from stages.train_nets.training import STEPS_AT_ONCE, batches

    net, shared = nets_section.load_one(name), training_section.load()
    tf.config.threading.set_intra_op_parallelism_threads(shared.threads if net.threads is None else net.threads)
    keras.utils.set_random_seed(0)
    model = _compiled(name, net, steps_per_execution=STEPS_AT_ONCE)
    seconds = {}
    for rows in (GROWING_ROWS[0], *GROWING_ROWS):  # the first epoch, in which Keras traces the graph, is overwritten
        digits = data.load(rows=rows)
        dataset = batches(digits.train_images, digits.train_labels, net.batch_size, seed=0)
        seconds[str(rows)] = timed(lambda: model.fit(dataset, shuffle=False, verbose=0))[1]  # noqa: B023
    return seconds


def _compiled(name: str, net: nets_section.Net, **settings: Any) -> Any:
    from stages.shared.models.build_net import build, make_optimizer

    model = build(name, net, 28, 28, ours.CLASSES)
    optimizer = make_optimizer(net.optimizer, 1_000_000, ("nets", name, "optimizer"))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"], **settings)
    return model
