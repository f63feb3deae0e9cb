"""Finds a trained model by name, path or version, and predicts images; baselines are loaded without TensorFlow."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from inference import registered_models
from stages.shared.errors import UserError, one_line, unknown_name
from stages.shared.files import paths
from stages.shared.files.predictions import Predictions
from stages.shared.files.skops_models import load_baseline_file
from stages.shared.files.text_files import load_json
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params import baselines_section, nets_section

Images = NDArray[np.float32]
Predict = Callable[[Images], Predictions]

NET, BASELINE = paths.NETS.suffix, paths.BASELINES.suffix

SIDES = range(8, 1001)  # pixels; fewer do not show a digit
MOST_CLASSES = 10_000
BATCH = 1000  # images; larger batches are not faster


class Model(NamedTuple):
    """A trained model.

    Attributes
    ----------
    side : int
        Height and width of its images in pixels.
    names : list of str
        Class names in the order of their codes.
    predict : callable
        Takes images, float32, shape (n, side, side) with n >= 1, 0-1; returns `Predictions`.
    """

    side: int
    names: list[str]
    predict: Predict


def load(name: str, repo: str | None) -> Model:
    """Find a model and load it; no code in its file is run.

    Parameters
    ----------
    name : str
        A path that ends in .keras or .skops, the name of a declared model, or an artifact: NAME@VERSION, NAME@latest
        or NAME#STAGE.
    repo : str or None
        Path or URL of the repository with the artifact; None is this one.

    Raises
    ------
    UserError
        There is no such model, it cannot be loaded, or it does not take images.
    """
    path = Path(name)
    if path.suffix in (NET, BASELINE) or (repo is None and path.is_file()):
        if repo is not None:
            raise UserError(f"--repo needs the name of an artifact, and '{name}' is a path")
        if not path.is_file():
            raise UserError(f"{path}: file not found")
        return load_file(path, paths.CLASSES)
    if repo is not None or registered_models.is_artifact(name):
        with tempfile.TemporaryDirectory() as folder:
            return load_file(*registered_models.fetch(name, repo, Path(folder)))
    declared = {net: paths.NETS.path(net) for net in nets_section.load()}
    declared |= {baseline: paths.BASELINES.path(baseline) for baseline in baselines_section.load()}
    if name not in declared:
        raise UserError(unknown_name(name, declared, "model"))
    if not declared[name].is_file():
        raise UserError(f"{declared[name]} is missing; 'dvc pull' fetches it, 'dvc repro' trains it")
    return load_file(declared[name], paths.CLASSES)


def load_file(path: Path, classes: Path) -> Model:
    """Load a model file.

    Parameters
    ----------
    path : Path
        A .keras or .skops file.
    classes : Path
        The classes.json of its data; if it is missing or does not fit the model, names are class codes.

    Raises
    ------
    UserError
        It cannot be loaded, does not take square grey images, or does not return class codes.
    """
    if path.suffix not in (NET, BASELINE):
        raise UserError(f"{path.name} is not a model file; only {NET} and {BASELINE} files are loaded")
    side, count, predict = (_load_net if path.suffix == NET else _load_baseline)(path)
    if side not in SIDES:
        raise UserError(f"{path} takes images of {side:,} x {side:,} pixels; {SIDES[0]} to {SIDES[-1]:,} are supported")
    if count > MOST_CLASSES:
        raise UserError(f"{path} has the class code {count - 1:,}; at most {MOST_CLASSES:,} classes are supported")

    def predict_or_explain(images: Images) -> Predictions:
        try:
            return predict(images)
        except Exception as error:  # of many types: a file can hold any numbers, and memory can run out
            raise UserError(f"{path} cannot predict: {one_line(error) or type(error).__name__}") from error

    return Model(side, _class_names(classes, side, count), predict_or_explain)


def _load_net(path: Path) -> tuple[int, int, Predict]:
    start_tensorflow()
    from stages.shared.files.keras_models import largest_output, load_net_file

    net = load_net_file(path)
    inputs, outputs = getattr(net, "input_shape", None), getattr(net, "output_shape", None)
    match inputs, outputs:
        case (_, int(height), int(width), 1), (_, int(count)) if height == width and count > 1:
            pass
        case _:
            raise UserError(
                f"{path} has input shape {inputs} and output shape {outputs}; a net must take square grey images, "
                "(None, side, side, 1), and return one value per class, (None, classes)"
            )

    # A quarter, because an operation takes more memory than its output.
    fitting = psutil.virtual_memory().available // 4 // largest_output(net)
    batch = max(1, min(fitting, BATCH))

    def predict(images: Images) -> Predictions:
        scores = np.asarray(net.predict(images[..., np.newaxis], batch_size=batch, verbose=0), np.float32)
        # The file does not tell whether the values are probabilities.
        probable = bool(np.all(scores >= 0) and np.allclose(scores.sum(axis=1), 1, atol=1e-3))
        return Predictions(scores.argmax(axis=1), scores, "probability" if probable else "decision")

    return height, count, predict


def _load_baseline(path: Path) -> tuple[int, int, Predict]:
    model = load_baseline_file(path)
    classes = np.asarray(getattr(model, "classes_", None))
    if classes.ndim != 1 or classes.dtype.kind not in "iu" or classes.min() < 0:
        raise UserError(f"{path}: the classifier must be fitted, with class codes from 0")
    features = getattr(model, "n_features_in_", 0)
    side = math.isqrt(features) if isinstance(features, int) and features >= 0 else 0
    if side**2 != features:
        raise UserError(f"{path} takes {features!r} values; square images have 64, 784 or another square number")
    count = int(classes.max()) + 1

    def predict(images: Images) -> Predictions:
        rows = images.reshape(len(images), -1)
        codes = np.asarray(model.predict(rows), np.int64)
        if not hasattr(model, "predict_proba"):
            return Predictions(codes, np.empty((len(rows), 0), np.float32), "none")
        scores = np.zeros((len(rows), count), np.float32)
        scores[:, classes] = model.predict_proba(rows)
        return Predictions(codes, scores, "probability")

    return side, count, predict


def _class_names(classes: Path, side: int, count: int) -> list[str]:
    if classes.is_file():
        facts = load_json(classes)
        if len(facts["names"]) == count and facts["height"] == facts["width"] == side:
            return [str(name) for name in facts["names"]]
    return [str(code) for code in range(count)]
