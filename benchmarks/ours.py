"""Training a model as this project's stages do, by the functions that they call."""

import time
from typing import Any

from benchmarks.data import Data
from benchmarks.recipes import recipe
from benchmarks.timing import timed
from stages.shared.params import baselines_section, nets_section, training_section

CLASSES = 10


def run(name: str, data: Data, seed: int | None = None) -> dict[str, Any]:
    """Train a model of params.yaml and predict with it.

    Parameters
    ----------
    name : str
        A net is trained by its recipe in benchmarks/recipes.yaml, if it has one.
    data : Data
        Training and test data.
    seed : int, optional
        Replaces the seed of params.yaml.

    Returns
    -------
    dict
        fit_seconds (for a net, including building and compiling it), predict_seconds, and codes: the predicted
        classes of the test images.
    """
    if name in nets_section.load():
        return _run_net(name, data, seed)
    from stages.shared.models import build_classifier
    from stages.train_baselines import acceleration
    from stages.train_baselines.fitting import fit

    declared, shared, where = baselines_section.load_one(name), training_section.load(), ("baselines", name)
    train, test = (part.reshape(len(part), -1) for part in (data.train_images, data.test_images))
    model = build_classifier.build(declared.class_, declared.settings, shared.seed if seed is None else seed, where)
    with acceleration.threads(shared.threads):
        fitted, fit_seconds = timed(lambda: fit(model, train, data.train_labels, shared.threads, where))
        fast = acceleration.accelerated(fitted)
        codes, predict_seconds = timed(lambda: fast.predict(test))
    return {"fit_seconds": fit_seconds, "predict_seconds": predict_seconds, "codes": codes}


def _run_net(name: str, data: Data, seed: int | None) -> dict[str, Any]:
    import keras
    import tensorflow as tf

    from stages.shared.models.build_net import build, make_optimizer
    from stages.shared.models.fourier_conv2d import plain
    from stages.train_nets.training import probabilities, steps, train

    net, shared = recipe(name), training_section.load()
    tf.config.threading.set_intra_op_parallelism_threads(shared.threads if net.threads is None else net.threads)
    keras.utils.set_random_seed(shared.seed if seed is None else seed)
    start = time.perf_counter()
    height, width = data.train_images.shape[1:]
    model = build(name, net, height, width, CLASSES)
    total_steps = net.epochs * steps(len(data.train_labels), net.batch_size)
    train(
        model,
        make_optimizer(net.optimizer, total_steps, ("nets", name, "optimizer")),
        data.train_images,
        data.train_labels,
        None,
        epochs=net.epochs,
        batch_size=net.batch_size,
        patience=None,
        name=name,
    )
    fit_seconds = time.perf_counter() - start
    scores, predict_seconds = timed(lambda: probabilities(plain(model), data.test_images))
    return {"fit_seconds": fit_seconds, "predict_seconds": predict_seconds, "codes": scores.argmax(axis=1)}
