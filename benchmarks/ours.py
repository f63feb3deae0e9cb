"""This project's way to train a model: the functions that its stages call."""

import time

import numpy as np

from benchmarks.data import Data
from benchmarks.recipes import recipe
from benchmarks.timing import Measured, stopwatch
from stages.shared.params import baselines_section, nets_section, training_section

CLASSES = 10


def run(name: str, data: Data, seed: int | None = None) -> Measured:
    """Train a model of params.yaml and let it predict.

    Parameters
    ----------
    name : str
        A net is trained by its recipe of `benchmarks/recipes.yaml`, if it has one.
    data : Data
        What it is trained on and predicts.
    seed : int, optional
        In place of the one in params.yaml.
    """
    return _net(name, data, seed) if name in nets_section.load() else _baseline(name, data, seed)


def _baseline(name: str, data: Data, seed: int | None) -> Measured:
    from stages.shared.models import build_classifier
    from stages.train_baselines import acceleration
    from stages.train_baselines.fitting import fit

    declared, shared, where = baselines_section.load_one(name), training_section.load(), ("baselines", name)
    train, test = (part.reshape(len(part), -1) for part in (data.train_images, data.test_images))
    model = build_classifier.build(declared.class_, declared.settings, shared.seed if seed is None else seed, where)
    with acceleration.threads(shared.threads):
        with stopwatch() as fitting:
            fitted = fit(model, train, data.train_labels, shared.threads, where)
        # As in the stage: what predicts is scikit-learn's own class made fast again.
        fast = acceleration.accelerated(fitted)
        with stopwatch() as predicting:
            codes = fast.predict(test)
    return Measured(fitting.seconds, predicting.seconds, np.asarray(codes, np.int64))


def _net(name: str, data: Data, seed: int | None) -> Measured:
    import keras
    import tensorflow as tf

    from stages.shared.models.build_net import build, make_optimizer
    from stages.shared.models.fourier_conv2d import plain
    from stages.train_nets.training import probabilities, steps, train

    net, shared = recipe(name), training_section.load()
    tf.config.threading.set_intra_op_parallelism_threads(shared.threads if net.threads is None else net.threads)
    keras.utils.set_random_seed(shared.seed if seed is None else seed)
    begun = time.perf_counter()
    height, width = data.train_images.shape[1:]
    model = build(name, net, height, width, CLASSES)
    total = net.epochs * steps(len(data.train_labels), net.batch_size)
    train(
        model,
        make_optimizer(net.optimizer, total, ("nets", name, "optimizer")),
        data.train_images,
        data.train_labels,
        None,
        epochs=net.epochs,
        batch_size=net.batch_size,
        patience=None,
        name=name,
    )
    seconds = time.perf_counter() - begun
    with stopwatch() as predicting:
        codes = probabilities(plain(model), data.test_images).argmax(axis=1)
    return Measured(seconds, predicting.seconds, codes)
