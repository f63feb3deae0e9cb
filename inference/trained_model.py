"""Finds a model by name, path or version, and lets it judge images; nothing of TensorFlow for a baseline."""

import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference import registered_models
from stages.shared.errors import UserError, unknown_name
from stages.shared.files import paths
from stages.shared.files.paths import CLASSES
from stages.shared.files.predictions import Predictions
from stages.shared.files.skops_models import load_baseline_file
from stages.shared.files.text_files import load_json
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.params import baselines_section, nets_section

Images = NDArray[np.float32]
Judge = Callable[[Images], Predictions]

NET, BASELINE = ".keras", ".skops"

SMALLEST = 8  # pixels; in fewer no digit can be told
BATCH = 1000  # rows at once; more gains nothing


class Model(NamedTuple):
    """A trained model.

    Attributes
    ----------
    side : int
        Height and width of its images in pixels.
    names : list of str
        Class names in the order of their codes.
    judge : callable
        From float32 (n, side, side), 0-1, n at least 1, to `Predictions`.
    """

    side: int
    names: list[str]
    judge: Judge


def load(name: str, repo: str | None) -> Model:
    """Find a model and load it, without running code that its file brings along.

    Parameters
    ----------
    name : str
        A path that ends in .keras or .skops, a declared model's name, or an artifact: NAME@VERSION, NAME@latest or
        NAME#STAGE.
    repo : str or None
        Path or address of the repository that has the artifact; None is this one.

    Raises
    ------
    UserError
        There is no such model, or it cannot be loaded or fed with images.
    """
    path = Path(name)
    if path.suffix in (NET, BASELINE):
        if repo is not None:
            raise UserError(f"--repo goes with an artifact's name, and '{name}' is a path")
        if not path.is_file():
            raise UserError(f"{path}: there is no such model file")
        return load_file(path, CLASSES)
    if repo is not None or registered_models.is_artifact(name):
        with tempfile.TemporaryDirectory() as folder:
            return load_file(*registered_models.fetch(name, repo, Path(folder)))
    if path.is_file():
        return load_file(path, CLASSES)  # says why not
    declared = {
        **{net: paths.NETS.path(net) for net in nets_section.load()},
        **{baseline: paths.BASELINES.path(baseline) for baseline in baselines_section.load()},
    }
    if name not in declared:
        raise UserError(unknown_name(name, declared, "model"))
    if not declared[name].is_file():
        raise UserError(f"{declared[name]} is missing; 'dvc pull' fetches it, 'dvc repro' trains it")
    return load_file(declared[name], CLASSES)


def load_file(path: Path, classes: Path) -> Model:
    """Load a model file.

    Parameters
    ----------
    path : Path
        A .keras or .skops file.
    classes : Path
        The classes.json of its data; where it is missing or does not fit the model, codes stand for names.

    Raises
    ------
    UserError
        It cannot be loaded, or takes no square grey images, or gives no class codes.
    """
    if path.suffix not in (NET, BASELINE):
        raise UserError(f"{path.name} is no model file; those end in {NET} or {BASELINE}, and no other kind is loaded")
    side, count, judge = (_net if path.suffix == NET else _baseline)(path)
    if side < SMALLEST:
        raise UserError(
            f"{path} takes images of {side} x {side} pixels; a digit needs at least {SMALLEST} x {SMALLEST}"
        )
    return Model(side, _names(classes, side, count), judge)


def _net(path: Path) -> tuple[int, int, Judge]:
    start_tensorflow()  # for nets alone
    from stages.shared.files.keras_models import load_net_file

    net = load_net_file(path)
    takes, gives = getattr(net, "input_shape", None), getattr(net, "output_shape", None)
    match takes, gives:
        case (_, int(height), int(width), 1), (_, int(count)) if height == width and count > 1:
            pass
        case _:
            raise UserError(
                f"{path} takes {takes} and gives {gives}; a net must take square grey images, "
                "(None, side, side, 1), and give a value a class, (None, classes)"
            )

    def judge(images: Images) -> Predictions:
        scores = np.asarray(net.predict(images[..., np.newaxis], batch_size=BATCH, verbose=0), np.float32)
        probable = bool(np.all(scores >= 0) and np.allclose(scores.sum(axis=1), 1, atol=1e-3))
        return Predictions(scores.argmax(axis=1), scores, "probability" if probable else "decision")

    return height, count, judge


def _baseline(path: Path) -> tuple[int, int, Judge]:
    model = load_baseline_file(path)
    classes = np.asarray(getattr(model, "classes_", None))
    if classes.ndim != 1 or classes.dtype.kind not in "iu" or classes.min() < 0:
        raise UserError(f"{path}: a classifier must be fitted, and its classes must be codes from 0")
    features = int(getattr(model, "n_features_in_", 0))
    side = math.isqrt(features)
    if side**2 != features:
        raise UserError(f"{path} takes {features} values; a square image has 64, 784 or another square of them")
    count = int(classes.max()) + 1

    def judge(images: Images) -> Predictions:
        rows = images.reshape(len(images), -1)
        codes = np.asarray(model.predict(rows), np.int64)
        if not hasattr(model, "predict_proba"):
            return Predictions(codes, np.empty((len(rows), 0), np.float32), "none")
        scores = np.zeros((len(rows), count), np.float32)
        scores[:, classes] = model.predict_proba(rows)
        return Predictions(codes, scores, "probability")

    return side, count, judge


def _names(classes: Path, side: int, count: int) -> list[str]:
    if classes.is_file():
        facts = load_json(classes)
        if len(facts["names"]) == count and facts["height"] == facts["width"] == side:
            return [str(name) for name in facts["names"]]
    return [str(code) for code in range(count)]
