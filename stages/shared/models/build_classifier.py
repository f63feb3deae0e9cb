"""Builds the unfitted scikit-learn classifier of a declared baseline."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

from sklearn.base import ClassifierMixin, clone

from stages.shared.errors import unknown_name
from stages.shared.models.classifier_packages import PACKAGES, find, package_of, settings_of
from stages.shared.params.mistakes import declaration_error, describe
from stages.shared.params.yaml_file import Place

THREADS = "leave it out; training.threads sets how many cores are used"


def build(class_name: str, settings: Mapping[str, Any], seed: int, where: Place) -> ClassifierMixin:
    """Build a declared classifier.

    Parameters
    ----------
    class_name : str
        Name of a scikit-learn classifier, or import path of a classifier of another package.
    settings : mapping
        Its arguments. A mapping with the key `class` stands for a further classifier (of a meta-estimator), also in
        a list.
    seed : int
        The `random_state` of every classifier that has one and does not declare it, or declares null.
    where : Place
        Place of the declaration in params.yaml.

    Raises
    ------
    DeclarationError
        The classifier or one of its settings is unknown, or scikit-learn refuses a value.
    """
    cls = find(class_name, where)
    if "n_jobs" in settings:
        raise declaration_error((*where, "n_jobs"), THREADS)
    accepted = settings_of(cls)
    for key in settings:
        if key not in accepted:
            raise declaration_error((*where, key), unknown_name(key, accepted, f"setting of {class_name}:"))
    arguments = {key: _resolved(value, seed, (*where, key)) for key, value in settings.items()}
    if "random_state" in accepted and arguments.get("random_state") is None:
        arguments["random_state"] = seed
    try:
        model = cls(**PACKAGES.get(package_of(cls), {}), **arguments)
    except TypeError as error:  # an argument without a default is missing
        raise declaration_error(where, f"{class_name} cannot be created: {error}") from None
    _check_values(model, settings, where)
    return model


def _check_values(model: ClassifierMixin, settings: Mapping[str, Any], where: Place) -> None:
    """Raise DeclarationError for a value that scikit-learn refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training repeats them
        try:
            # scikit-learn checks values only in `fit`, before it looks at the images, of which there are none.
            clone(model).fit(None, [0, 1])
        except Exception as error:  # of many types, because there are no images
            # "The 'C' parameter of LinearSVC must be a float in the range (0.0, inf). Got -1.0 instead."
            refused = re.fullmatch(r"The '(\w+)' parameter of \w+ (must be .*)\. Got .* instead\.", str(error), re.S)
            if refused:
                key, allowed = refused.groups()
                text = f"is {describe(settings.get(key))}: {allowed}"
                raise declaration_error((*where, key), text) from None


def _resolved(value: Any, seed: int, where: Place) -> Any:
    """Return the value of a setting with the classifiers that its mappings declare."""
    if isinstance(value, Mapping) and "class" in value:
        name = value["class"]
        if not isinstance(name, str):
            text = f"is {describe(name)}: must be the name of a scikit-learn classifier"
            raise declaration_error((*where, "class"), text)
        return build(name, {key: item for key, item in value.items() if key != "class"}, seed, where)
    if isinstance(value, list):
        items = [_resolved(item, seed, (*where, position)) for position, item in enumerate(value)]
        # scikit-learn takes pairs of a name and an estimator only as tuples.
        return [tuple(item) if isinstance(item, list) else item for item in items]
    return value
