"""Loads a trained model and predicts images: nets without scikit-learn, baselines without TensorFlow."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from numpy.typing import NDArray

from inference.find_model import NET, require_model_file
from inference.registered_models import Registered, fetch
from stages.shared.errors import UserError, one_line
from stages.shared.files import paths
from stages.shared.files.datasets import Preparation, load_preparation
from stages.shared.files.predictions import Predictions
from stages.shared.files.text_files import load_json

Images = NDArray[np.float32]
Predict = Callable[[Images], Predictions]

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
    preparation : Preparation or None
        How the images that it was trained on were prepared; None if it is not known.
    predict : callable
        Takes images, float32, shape (n, side, side) with n >= 1, 0-1; returns `Predictions`.
    """

    side: int
    names: list[str]
    preparation: Preparation | None
    predict: Predict


def load(source: Path | Registered) -> Model:
    """Load a model that `find` has found; no code in its file is run.

    Raises
    ------
    UserError
        It cannot be fetched or loaded, or does not take images.
    """
    if isinstance(source, Path):
        return load_file(source, paths.SPLIT.folder)
    with tempfile.TemporaryDirectory() as folder:
        return load_file(fetch(source, Path(folder)), Path(folder))


def load_file(path: Path, data: Path) -> Model:
    """Load a model file.

    Parameters
    ----------
    path : Path
        A .keras or .skops file.
    data : Path
        Folder with the classes.json and preparation.json of its data. If classes.json is missing or does not fit the
        model, names are class codes, and the preparation is not known.

    Raises
    ------
    UserError
        It cannot be loaded, does not take square grey images, or does not return class codes.
    """
    side, count, predict = (_load_net if require_model_file(path).suffix == NET else _load_baseline)(path)
    if side not in SIDES:
        raise UserError(f"{path} takes images of {side:,} x {side:,} pixels; {SIDES[0]} to {SIDES[-1]:,} are supported")
    if count > MOST_CLASSES:
        raise UserError(f"{path} has the class code {count - 1:,}; at most {MOST_CLASSES:,} classes are supported")

    def predict_or_explain(images: Images) -> Predictions:
        try:
            return predict(images)
        except Exception as error:  # of many types: a file can hold any numbers, and memory can run out
            raise UserError(f"{path} cannot predict: {one_line(error) or type(error).__name__}") from error

    names = _class_names(data / paths.CLASSES.name, side, count)
    preparation = data / paths.PREPARATION.name
    known = names is not None and preparation.is_file()
    return Model(
        side,
        names or [str(code) for code in range(count)],
        load_preparation(preparation) if known else None,
        predict_or_explain,
    )


def _load_net(path: Path) -> tuple[int, int, Predict]:
    from stages.shared.models.tensorflow_startup import start_tensorflow

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
        # The same numbers as those of net.predict, which takes longer for a few images.
        batches = (images[start : start + batch, ..., np.newaxis] for start in range(0, len(images), batch))
        scores = np.concatenate([np.asarray(net.predict_on_batch(images), np.float32) for images in batches])
        # The file does not tell whether the values are probabilities.
        probable = bool(np.all(scores >= 0) and np.allclose(scores.sum(axis=1), 1, atol=1e-3))
        return Predictions(scores.argmax(axis=1), scores, "probability" if probable else "decision")

    return height, count, predict


def _load_baseline(path: Path) -> tuple[int, int, Predict]:
    from stages.shared.files.skops_models import load_baseline_file

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


def _class_names(classes: Path, side: int, count: int) -> list[str] | None:
    if classes.is_file():
        facts = load_json(classes)
        if len(facts["names"]) == count and facts["height"] == facts["width"] == side:
            return [str(name) for name in facts["names"]]
    return None
