"""Fitted scikit-learn classifiers as .skops files, with the same bytes in every process."""

import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.exceptions import InconsistentVersionWarning

from stages.shared.errors import UserError
from stages.shared.files.paths import baseline_file
from stages.shared.files.whole_files import DAMAGE, replacing, require_file
from stages.shared.files.zip_archives import check_archive, made_by_another_version, read_archive, write_archive

# What skops does not trust by itself and scikit-learn's classifiers are made of; nothing else is loaded. Each holds
# numbers and strings, and none runs what a file brings along. Left out, because a file could: functions and
# functools.partial (HistGradientBoostingClassifier with categorical_features), scorers (TunedThresholdClassifierCV).
# Left out too: the trees of neighbours' searches, which read memory by row numbers from the file; images have more
# dimensions than those trees are good for.
TRUSTED: tuple[str, ...] = (
    # Decision trees. They read memory by node numbers from the file, too, hence `_check_trees`.
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    # Calibration: two numbers a class, or one.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    # Gaussian processes: the training rows and the kernels that params.yaml can declare.
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    # One classifier for several: a constant answer, a dict with attributes.
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.utils._bunch.Bunch",
    # Multi-layer perceptrons: moments of the gradient.
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)

DAMAGED = "it holds a damaged decision tree"


def save_baseline(name: str, model: ClassifierMixin) -> None:
    """Write a fitted classifier as models/baselines/NAME.skops.

    Parameters
    ----------
    name : str
        The baseline's name in params.yaml.
    model : ClassifierMixin
        A plain scikit-learn classifier.

    Raises
    ------
    UserError
        The classifier holds something of a type that `load_baseline` would refuse.
    """
    with replacing(baseline_file(name)) as temporary:
        if reason := dump(model, temporary):
            raise UserError(f"the classifier of baselines.{name} {reason}")
        write_archive(temporary, _fixed(read_archive(temporary)))


def dump(model: ClassifierMixin, file: Path | BinaryIO) -> str | None:
    """Write a fitted classifier to a file as skops does; return why that cannot be done, or None.

    Parameters
    ----------
    model : ClassifierMixin
        A plain scikit-learn classifier.
    file : Path or binary file
        What is in it afterwards is no model where a reason is returned.
    """
    remedy = "choose another classifier or other settings"
    try:
        skops.io.dump(model, file)
    except TypeError as error:
        return f"cannot be saved: {' '.join(str(error).split())}; {remedy}"
    except RecursionError:
        return f"cannot be saved: something in it holds the classifier itself; {remedy}"
    refused = sorted(set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED))
    if refused:
        return f"cannot be saved: it holds {', '.join(refused)}, which a safe model file may not hold; {remedy}"
    return None


def load_baseline(name: str) -> ClassifierMixin:
    """Read models/baselines/NAME.skops as `load_baseline_file` does."""
    return load_baseline_file(baseline_file(name))


def load_baseline_file(path: Path) -> ClassifierMixin:
    """Read a .skops file; makes objects of trusted types alone.

    Raises
    ------
    UserError
        The file is missing, damaged, a zip bomb, of another version of scikit-learn, or holds a type that is not
        trusted or what is no classifier.
    """
    require_file(path)
    try:
        check_archive(path)
        if other := made_by_another_version(path):
            raise UserError(f"{path} {other}; train it again, or install that version")
        with warnings.catch_warnings():
            # It warns of a version that only mends faults, too.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            model = skops.io.load(path, trusted=list(TRUSTED))
        if not isinstance(model, ClassifierMixin):
            raise TypeError(f"it holds no classifier but a {type(model).__name__}")
        _check_trees(model)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
        raise UserError(f"{path} is damaged: {' '.join(str(error).split())[:200]}") from error
    except DAMAGE as error:
        raise UserError(f"{path} cannot be loaded: {' '.join(str(error).split())[:200]}") from error
    return model


def _check_trees(model: ClassifierMixin) -> None:
    """Refuse trees with numbers of nodes or pixels that there are not: scikit-learn would read memory beyond.

    Raises
    ------
    ValueError
        There is such a tree.
    """
    for part in _parts(model):
        held = getattr(part, "__dict__", {})
        if "tree_" in held:
            tree = held["tree_"]
            if not 0 < tree.node_count <= tree.capacity:
                raise ValueError(DAMAGED)
            leaf = tree.children_left == -1
            _check_nodes(leaf, tree.children_left, tree.children_right, tree.feature, held["n_features_in_"])
        # Gradient boosting does not ask its trees how many pixels they take.
        trees = held.get("estimators_")
        if isinstance(trees, np.ndarray) and any(tree.n_features_in_ != held["n_features_in_"] for tree in trees.flat):
            raise ValueError(DAMAGED)
        for nodes in (predictor.nodes for group in held.get("_predictors", ()) for predictor in group):
            if nodes["is_categorical"].any():
                # These would need bounds of their own, and cannot be saved here.
                raise ValueError(DAMAGED)
            leaf = nodes["is_leaf"].astype(bool)
            _check_nodes(leaf, nodes["left"], nodes["right"], nodes["feature_idx"], held["n_features_in_"])


def _check_nodes(
    leaf: NDArray[Any], left: NDArray[Any], right: NDArray[Any], feature: NDArray[Any], features: int
) -> None:
    inner = np.flatnonzero(~leaf)
    # scikit-learn numbers children after their parents; anything else could be an endless loop.
    children = np.array([left[inner], right[inner]]).astype(np.int64)
    sound = len(leaf) > 0 and (inner < children).all() and (children < len(leaf)).all()
    if not sound or not ((feature[inner] >= 0) & (feature[inner] < features)).all():
        raise ValueError(DAMAGED)


def _parts(model: ClassifierMixin) -> Iterator[object]:
    """Walk through a model and everything that it holds."""
    waiting: list[object] = [model]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, type):
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set):
            waiting.extend(part)
        elif isinstance(part, np.ndarray):
            waiting.extend(part.flat if part.dtype == object else ())
        else:
            waiting.extend(getattr(part, "__dict__", {}).values())


def _fixed(members: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Replace memory addresses in the schema and in the members' names by numbers in order of first use."""
    contents = dict(members)
    numbers: dict[str, int] = {}

    def renumbered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: number(item) if key == "__id__" else named(key, item) for key, item in value.items()}
        if isinstance(value, list):
            return [renumbered(item) for item in value]
        return value

    def number(address: object) -> int:
        return numbers.setdefault(str(address), len(numbers) + 1)

    def named(key: str, item: Any) -> Any:
        if key == "file" and isinstance(item, str) and item in contents:
            stem, _, ending = item.partition(".")
            name = f"{number(stem)}.{ending}"
            files[name] = contents[item]
            return name
        return renumbered(item)

    files: dict[str, bytes] = {}
    schema = renumbered(json.loads(contents["schema.json"]))
    return [*files.items(), ("schema.json", json.dumps(schema).encode())]
