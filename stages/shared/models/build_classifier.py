"""From a baseline's declaration to an unfitted scikit-learn classifier."""

import inspect
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import all_estimators
from sklearn.utils._param_validation import InvalidParameterError

from stages.shared.errors import unknown_name
from stages.shared.params.mistakes import declaration_error, describe
from stages.shared.params.yaml_file import Place


def build(class_name: str, settings: Mapping[str, Any], seed: int, where: Place) -> ClassifierMixin:
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
    where : Place
        Where the declaration stands in params.yaml, for messages.

    Raises
    ------
    DeclarationError
        No such classifier, a setting it does not take, or a value it refuses.
    """
    known = classifiers()
    if class_name not in known:
        raise declaration_error((*where, "class"), unknown_name(class_name, known, "scikit-learn classifier"))
    cls = known[class_name]
    if "n_jobs" in settings:
        raise declaration_error((*where, "n_jobs"), "leave it out; training.threads sets how many cores are used")
    accepted = settings_of(cls)
    for key in settings:
        if key not in accepted:
            raise declaration_error((*where, key), unknown_name(key, accepted, f"setting of {class_name}:"))
    arguments = {key: _resolved(value, seed, (*where, key)) for key, value in settings.items()}
    if "random_state" in accepted and arguments.get("random_state") is None:
        arguments["random_state"] = seed
    try:
        model: BaseEstimator = cls(**arguments)
        model._validate_params()
    except InvalidParameterError as error:
        said = " ".join(str(error).split())
        # "The 'C' parameter of LinearSVC must be a float in the range (0.0, inf). Got -1.0 instead."
        found = re.fullmatch(r"The '(\w+)' parameter of \w+ (must be .*)\. Got .* instead\.", said)
        if found is None or found[1] not in settings:
            raise declaration_error(where, said) from None
        raise declaration_error((*where, found[1]), f"is {describe(settings[found[1]])}: {found[2]}") from None
    except TypeError as error:
        raise declaration_error(where, f"{class_name} cannot be made: {error}") from None
    return model


@cache
def classifiers() -> dict[str, type[ClassifierMixin]]:
    """Return the classifiers that can be named, by name."""
    return dict(all_estimators(type_filter="classifier"))


def settings_of(cls: type[ClassifierMixin]) -> set[str]:
    """Return the settings of a classifier that can be declared."""
    return set(inspect.signature(cls.__init__).parameters) - {"self", "n_jobs"}


def _resolved(value: Any, seed: int, where: Place) -> Any:
    if isinstance(value, Mapping) and "class" in value:
        name = value["class"]
        if not isinstance(name, str):
            raise declaration_error(
                (*where, "class"), f"is {describe(name)}: must be the name of a scikit-learn classifier"
            )
        return build(name, {key: item for key, item in value.items() if key != "class"}, seed, where)
    if isinstance(value, list):
        items = [_resolved(item, seed, (*where, position)) for position, item in enumerate(value)]
        # scikit-learn wants (name, estimator) pairs as tuples.
        return [tuple(item) if isinstance(item, list) else item for item in items]
    return value
