"""One measurement in a process of its own, so that none finds memory, threads or caches that another left.

Writes a JSON object to the file of its last argument; `benchmarks.__main__` starts it and reads that.
"""

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks import notebook, ours
from benchmarks.data import notebook_split, official_split
from benchmarks.timing import Measured, stopwatch
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params import nets_section
from stages.shared.process.run import peak_memory, run

STEP_BATCH = 256
STEPS = 30
GROWING_ROWS = (7_000, 14_000, 28_000, 56_000)


def model(side: str, name: str, seed: int | None, split: str) -> dict[str, Any]:
    """Train one model and let it predict.

    Returns
    -------
    dict
        fit_seconds, predict_seconds, whole, accuracy (None if not whole), codes, peak_memory_mb.
    """
    data = official_split() if split == "official" else notebook_split()
    measured: Measured = notebook.run(name, data) if side == "notebook" else ours.run(name, data, seed)
    return {
        "fit_seconds": measured.fit_seconds,
        "predict_seconds": measured.predict_seconds,
        "whole": measured.whole,
        "accuracy": float(np.mean(measured.codes == data.test_labels)) if measured.whole else None,
        "codes": measured.codes.tolist() if measured.whole else None,
    }


def step(side: str, name: str, precision: nets_section.Precision) -> dict[str, Any]:
    """Time a net's training step on 256 digits, as Keras computes it or as declared here, in this precision.

    Returns
    -------
    dict
        milliseconds: the median step.
    """
    import keras

    from stages.shared.models.build_net import build, make_optimizer

    net = nets_section.load_one(name)
    layers = {key: layer.model_copy(deep=True) for key, layer in net.layers.items()}
    if side == "notebook":
        for layer in layers.values():
            (layer.model_extra or {}).pop("method", None)
    keras.utils.set_random_seed(0)
    made = build(name, net.model_copy(update={"layers": layers, "precision": precision}), 28, 28, ours.CLASSES)
    optimizer = make_optimizer(net.optimizer, 1, ("nets", name, "optimizer"))
    made.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = notebook_split(7_000)
    images, labels = data.train_images[:STEP_BATCH, ..., np.newaxis], data.train_labels[:STEP_BATCH]
    seconds = []
    for _ in range(STEPS):
        with stopwatch() as watch:
            made.train_on_batch(images, labels)
        seconds.append(watch.seconds)
    return {"milliseconds": 1000 * float(np.median(seconds[STEPS // 3 :]))}


def growth(name: str) -> dict[str, Any]:
    """Time a model on growing parts of the training rows.

    Returns
    -------
    dict
        seconds: number of rows -> of a baseline, fitting and predicting 14,000 digits; of a net, one epoch.
    """
    measure = _epoch(name) if name in nets_section.load() else _fit_and_predict(name)
    return {"seconds": {str(rows): measure(rows) for rows in GROWING_ROWS}}


def _fit_and_predict(name: str) -> Callable[[int], float]:
    def seconds(rows: int) -> float:
        measured = ours.run(name, notebook_split(rows))
        return measured.fit_seconds + measured.predict_seconds

    return seconds


def _epoch(name: str) -> Callable[[int], float]:
    import keras
    import tensorflow as tf

    from stages.shared.models.build_net import build, make_optimizer
    from stages.shared.params import training_section
    from stages.train_nets.training import STEPS_AT_ONCE, batches

    net, shared = nets_section.load_one(name), training_section.load()
    tf.config.threading.set_intra_op_parallelism_threads(shared.threads if net.threads is None else net.threads)
    keras.utils.set_random_seed(0)
    made = build(name, net, 28, 28, ours.CLASSES)
    made.compile(
        make_optimizer(net.optimizer, 1_000_000, ("nets", name, "optimizer")),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=STEPS_AT_ONCE,
    )

    def epoch(rows: int) -> float:
        data = notebook_split(rows)
        with stopwatch() as watch:
            made.fit(batches(data.train_images, data.train_labels, net.batch_size, seed=0), shuffle=False, verbose=0)
        return watch.seconds

    epoch(GROWING_ROWS[0])  # Keras traces the graph
    return epoch


def main() -> None:
    """Measure what the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["model", "step", "growth"])
    parser.add_argument("side", choices=["notebook", "ours"])
    parser.add_argument("name")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--split", choices=["notebook", "official"], default="notebook")
    parser.add_argument("--tensorflow-defaults", action="store_true", help="as TensorFlow starts by itself")
    parser.add_argument(
        "--precision", choices=get_args(nets_section.Precision), default=nets_section.FULL_PRECISION, help="of a step"
    )
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    if asked.name in notebook.NETS or asked.name in nets_section.load():
        if asked.tensorflow_defaults:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "1"
        else:
            start_tensorflow()
        import tensorflow  # noqa: F401
    if asked.what == "model":
        result = model(asked.side, asked.name, asked.seed, asked.split)
    else:
        growing = asked.what == "growth"
        result = growth(asked.name) if growing else step(asked.side, asked.name, asked.precision)
    result["peak_memory_mb"] = round(peak_memory() / 1e6)
    asked.output.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    run("bench", main)
