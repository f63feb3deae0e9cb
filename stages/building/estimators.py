"""From a baseline's declaration to an unfitted scikit-learn classifier."""

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import all_estimators
from sklearn.utils._param_validation import InvalidParameterError

from stages.console import UserError
from stages.params.reading import describe, unknown


def build(class_name: str, settings: Mapping[str, Any], seed: int, where: str) -> ClassifierMixin:
    """Make the declared classifier.

    Parameters
    ----------
    class_name : str
        Name of a scikit-learn classifier.
    settings : mapping
        Its arguments. A mapping with the key `class` stands for a further classifier (of a meta-estimator),
        and may stand in a list.
    seed : int
        Given to every classifier that takes `random_state` and declares none (null is none too).
    where : str
        Where the declaration stands in params.yaml, for messages.

    Raises
    ------
    UserError
        No such classifier, a setting it does not take, or a value it refuses.
    """
    classes = _classifiers()
    if class_name not in classes:
        raise UserError(f"{where}.class: {unknown(class_name, classes, 'scikit-learn classifier')}")
    cls = classes[class_name]
    accepted = inspect.signature(cls.__init__).parameters.keys() - {"self"}
    for key in settings:
        if key not in accepted:
            raise UserError(f"{where}: {unknown(key, accepted, f'setting of {class_name}:')}")
    arguments = {key: _resolved(value, seed, f"{where}.{key}") for key, value in settings.items()}
    if "random_state" in accepted and arguments.get("random_state") is None:
        arguments["random_state"] = seed
    if "n_jobs" in accepted and "n_jobs" in settings:
        raise UserError(f"{where}.n_jobs: leave it out; training.threads sets how many cores are used")
    try:
        model: BaseEstimator = cls(**arguments)
        model._validate_params()
    except InvalidParameterError as error:
        raise UserError(f"{where}: {' '.join(str(error).split())}") from None
    except TypeError as error:
        raise UserError(f"{where}: {class_name} cannot be made: {error}") from None
    return model


@cache
def _classifiers() -> dict[str, type[ClassifierMixin]]:
    return dict(all_estimators(type_filter="classifier"))


def _resolved(value: Any, seed: int, where: str) -> Any:
    if isinstance(value, Mapping) and "class" in value:
        name = value["class"]
        if not isinstance(name, str):
            raise UserError(f"{where}.class: is {describe(name)}: must be the name of a scikit-learn classifier")
        return build(name, {key: item for key, item in value.items() if key != "class"}, seed, where)
    if isinstance(value, list):
        items = [_resolved(item, seed, f"{where}.{position}") for position, item in enumerate(value)]
        # scikit-learn wants (name, estimator) pairs as tuples.
        return [tuple(item) if isinstance(item, list) else item for item in items]
    return value
