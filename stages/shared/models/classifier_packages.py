"""The packages whose classifiers can be declared in params.yaml, and finding a classifier by its declared name."""

import importlib
import inspect
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from sklearn.base import ClassifierMixin
from sklearn.utils import all_estimators

from stages.shared.errors import unknown_name
from stages.shared.params.mistakes import declaration_error
from stages.shared.params.yaml_file import Place

# scikit-learn's classifiers are declared by name, those of other packages by import path, such as
# lightgbm.LGBMClassifier. Package -> settings that every classifier of it has, where repeated results need them.
PACKAGES: dict[str, Mapping[str, Any]] = {
    # LightGBM would choose the order of its sums by measured times.
    "lightgbm": {"deterministic": True, "force_row_wise": True, "verbose": -1},
    "xgboost": {},
}
INSTALL = "make boosting"
IMPORT_PATHS = f"must be the name of a scikit-learn classifier, {' or '.join(f'{each}.CLASS' for each in PACKAGES)}"


def find(name: str, where: Place) -> type[ClassifierMixin]:
    """Return the class of a declared classifier.

    Parameters
    ----------
    name : str
        Name of a scikit-learn classifier, or import path of a class from one of `PACKAGES`.
    where : Place
        Place of the declaration in params.yaml.

    Raises
    ------
    DeclarationError
        The classifier is unknown, or its package is not installed.
    """
    package, _, class_name = name.rpartition(".")
    if package and package not in PACKAGES:
        raise declaration_error((*where, "class"), f"is '{name}': {IMPORT_PATHS}")
    try:
        known = _classifiers_of(importlib.import_module(package)) if package else classifiers()
    except (ImportError, OSError) as error:  # OSError: a system library is missing
        text = f"is '{name}', but {package} cannot be imported ({error}); run '{INSTALL}'"
        raise declaration_error((*where, "class"), text) from None
    if class_name not in known:
        kind = f"{package} classifier" if package else "scikit-learn classifier"
        raise declaration_error((*where, "class"), unknown_name(class_name, known, kind))
    return known[class_name]


@cache
def classifiers() -> dict[str, type[ClassifierMixin]]:
    """Return the classifiers of scikit-learn, by name."""
    return dict(all_estimators(type_filter="classifier"))


def settings_of(cls: type[ClassifierMixin]) -> set[str]:
    """Return the settings of a classifier that can be declared."""
    if package_of(cls) in PACKAGES:
        # Their constructors take any keyword; these are the documented ones.
        return set(cls().get_params()) - {"n_jobs"}
    return set(inspect.signature(cls.__init__).parameters) - {"self", "n_jobs"}


def package_of(cls: type[ClassifierMixin]) -> str:
    """Return the name of the package of a class."""
    return cls.__module__.partition(".")[0]


def _classifiers_of(module: ModuleType) -> dict[str, type[ClassifierMixin]]:
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, ClassifierMixin)
    }
