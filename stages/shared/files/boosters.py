"""The trained trees of LightGBM and XGBoost as text in a model file, checked before the library reads them."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from stages.shared.files.tree_checks import LIGHTGBM_END, check_lightgbm, check_xgboost

# Types that hold a booster; without it they hold numbers and strings, and run no code from the file.
TRUSTED = (
    "collections.OrderedDict",
    "lightgbm.sklearn.LGBMClassifier",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRFClassifier",
)
ATTRIBUTE = "_Booster"  # of both libraries' classifiers


@contextmanager
def as_text(parts: Iterable[object]) -> Iterator[None]:
    """Replace the boosters of fitted classifiers by text during the block.

    The text is the library's own model format without settings of the training, such as the number of threads.

    Parameters
    ----------
    parts : iterable of object
        A model and all objects in it.

    Raises
    ------
    ValueError
        A booster could not be checked when it is read.
    """
    boosters = [(part, vars(part)[ATTRIBUTE]) for part in parts if _has_booster(part)]
    try:
        for part, booster in boosters:
            setattr(part, ATTRIBUTE, _to_text(booster))
            _from_text(_package(part), getattr(part, ATTRIBUTE))
        yield
    finally:
        for part, booster in boosters:
            setattr(part, ATTRIBUTE, booster)


def restore(part: object) -> None:
    """Replace the text in a classifier that has been read by the booster that it describes.

    Parameters
    ----------
    part : object
        A model or any object in it; anything but a classifier of LightGBM or XGBoost is not changed.

    Raises
    ------
    ValueError, KeyError
        The text is not a sound model.
    """
    if _has_booster(part):
        setattr(part, ATTRIBUTE, _from_text(_package(part), getattr(part, ATTRIBUTE)))


def _package(part: object) -> str:
    return type(part).__module__.partition(".")[0]


def _has_booster(part: object) -> bool:
    # LightGBM's classifiers have the attribute before they are fitted, too: None.
    return _package(part) in ("lightgbm", "xgboost") and getattr(part, "__dict__", {}).get(ATTRIBUTE) is not None


def _to_text(booster: Any) -> str:
    if _package(booster) == "xgboost":
        return bytes(booster.save_raw("json")).decode()
    text = booster.model_to_string().partition("\nend of trees")[0].rstrip() + LIGHTGBM_END
    return re.sub(r"\n\n+", "\n\n", re.sub(r"\ntree_sizes=.*", "", text))


def _from_text(package: str, text: str) -> Any:
    if package == "xgboost":
        import xgboost

        model = json.loads(text)
        check_xgboost(model)
        booster = xgboost.Booster()
        booster.load_model(bytearray(json.dumps(model).encode()))
        return booster
    import lightgbm

    check_lightgbm(text)
    return lightgbm.Booster(model_str=text)
