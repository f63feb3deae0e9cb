"""Fitted scikit-learn classifiers as .skops files, with the same bytes in every process."""

import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import skops.io
from sklearn.base import ClassifierMixin
from sklearn.exceptions import InconsistentVersionWarning

from stages.shared.errors import UserError, one_line
from stages.shared.files import boosters
from stages.shared.files.paths import BASELINES
from stages.shared.files.tree_checks import check_sklearn
from stages.shared.files.whole_files import reading, replacing
from stages.shared.files.zip_archives import (
    check_archive,
    made_by_another_version,
    read_archive,
    renumbered,
    write_archive,
)

# Types that are loaded beside those that skops trusts by default. They hold numbers and strings, and run no code from
# the file. Not here, because they could run code: functions and functools.partial (HistGradientBoostingClassifier with
# categorical_features), scorers (TunedThresholdClassifierCV). Nor are the trees of nearest-neighbour searches, which
# read memory at row numbers from the file; they are of no use for as many dimensions as images have.
TRUSTED: tuple[str, ...] = (
    # Decision trees. They read memory at node numbers from the file, hence `tree_checks`.
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    # Calibration: one or two numbers per class.
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    # Gaussian processes: the training rows, and the kernels that params.yaml can declare.
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    # Meta-estimators: a constant prediction, a dict with attributes.
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.utils._bunch.Bunch",
    # Multi-layer perceptrons: moments of the gradient.
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)


def save_baseline(name: str, model: ClassifierMixin) -> None:
    """Write a fitted classifier.

    Parameters
    ----------
    name : str
        Name of the baseline in params.yaml.
    model : ClassifierMixin
        A classifier of scikit-learn's own.

    Raises
    ------
    UserError
        The classifier holds a type that `load_baseline` would refuse.
    """
    with replacing(BASELINES.path(name)) as temporary:
        if reason := dump(model, temporary):
            raise UserError(f"the classifier of baselines.{name} {reason}")
        write_archive(temporary, _fixed(read_archive(temporary)))


def dump(model: ClassifierMixin, file: Path | BinaryIO) -> str | None:
    """Write a fitted classifier to a file as skops does.

    Parameters
    ----------
    model : ClassifierMixin
        A classifier of scikit-learn's own.
    file : Path or binary file
        The file to write.

    Returns
    -------
    str or None
        The reason if the classifier cannot be saved safely; the file is then not a model.
    """
    remedy = "choose another classifier or other settings"
    try:
        with boosters.as_text(_parts(model)):
            skops.io.dump(model, file)
    except (TypeError, ValueError, KeyError) as error:
        return f"cannot be saved: {one_line(error)}; {remedy}"
    except RecursionError:
        return f"cannot be saved: something in it holds the classifier itself; {remedy}"
    refused = sorted(set(skops.io.get_untrusted_types(file=file)) - set(TRUSTED) - set(boosters.TRUSTED))
    if refused:
        return f"cannot be saved: it holds {', '.join(refused)}, which a safe model file may not hold; {remedy}"
    return None


def load_baseline(name: str) -> ClassifierMixin:
    """Read a baseline of the pipeline, as `load_baseline_file` does."""
    return load_baseline_file(BASELINES.path(name))


def load_baseline_file(path: Path) -> ClassifierMixin:
    """Read a .skops file; only objects of trusted types are created.

    Raises
    ------
    UserError
        The file is missing, damaged, a zip bomb, saved by another version of scikit-learn, holds a type that is not
        trusted or not installed, or is not a classifier.
    """
    with reading(path, remedy=""):
        check_archive(path)
        if mismatch := made_by_another_version(path):
            raise UserError(f"{path} {mismatch}; train the model again, or install that version")
        with warnings.catch_warnings():
            # scikit-learn also warns of another patch version.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            try:
                model = skops.io.load(path, trusted=[*TRUSTED, *boosters.TRUSTED])
            except ImportError as error:
                raise UserError(
                    f"{path} needs a package that is not installed ({error}); run 'make boosting'"
                ) from None
        if not isinstance(model, ClassifierMixin):
            raise TypeError(f"it holds a {type(model).__name__}, which is not a classifier")
        for part in list(_parts(model)):
            check_sklearn(part)
            boosters.restore(part)
        return model


def _parts(model: ClassifierMixin) -> Iterator[object]:
    """Iterate over a model and all objects in it."""
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
    """Replace memory addresses in the schema, and in the names of the members that it lists, by numbers."""
    contents = dict(members)
    schema = json.dumps(json.loads(contents["schema.json"]))
    fixed = renumbered(schema, r'("__id__": |"file": ")(\d+)')
    old, new = (re.findall(r'"file": "([^"]+)"', text) for text in (schema, fixed))
    files = {name: contents[address] for name, address in zip(new, old, strict=True)}
    return [*files.items(), ("schema.json", fixed.encode())]
