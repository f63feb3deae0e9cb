"""Baselines of LightGBM and XGBoost: declared by import path, saved safely, with the same bytes in every process."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import ClassifierMixin

from stages.shared.errors import UserError
from stages.shared.files.paths import BASELINES
from stages.shared.files.skops_models import load_baseline, save_baseline
from stages.shared.files.zip_archives import read_archive, write_archive
from stages.shared.models.build_classifier import build
from stages.shared.params.declared import Declared
from stages.shared.trials.try_models import check_models
from stages.train_baselines.fitting import fit
from stages.train_baselines.predicting import predictions
from tests.fixtures.mistakes import refused
from tests.fixtures.small_project import ROOT
from tests.fixtures.synthetic import digits, pixels

PLACE = ("baselines", "x")
MODELS: dict[str, dict[str, Any]] = {
    "lightgbm": {"class": "lightgbm.LGBMClassifier", "n_estimators": 5},
    "lightgbm-dart": {"class": "lightgbm.LGBMClassifier", "n_estimators": 5, "boosting_type": "dart"},
    "xgboost": {"class": "xgboost.XGBClassifier", "n_estimators": 5},
    "xgboost-dart": {"class": "xgboost.XGBClassifier", "n_estimators": 5, "booster": "dart", "subsample": 0.5},
    "xgboost-forest": {"class": "xgboost.XGBRFClassifier", "n_estimators": 5},
    "bagging-lightgbm": {
        "class": "BaggingClassifier",
        "n_estimators": 2,
        "estimator": {"class": "lightgbm.LGBMClassifier", "n_estimators": 2},
    },
    "bagging": {"class": "BaggingClassifier", "n_estimators": 2, "estimator": {"class": "xgboost.XGBClassifier"}},
}


@pytest.fixture
def installed(request: pytest.FixtureRequest) -> None:
    """Skip the test without LightGBM and XGBoost, but fail it if `make test-boosting` runs it."""
    missing = [name for name in ("lightgbm", "xgboost") if importlib.util.find_spec(name) is None]
    if missing:
        stop = pytest.fail if request.config.option.markexpr == "boosting" else pytest.skip
        stop(f"{' and '.join(missing)} not installed; run 'make boosting'")


def needs_packages(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs LightGBM and XGBoost."""
    return pytest.mark.boosting(pytest.mark.usefixtures("installed")(test))


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rows(classes: int) -> tuple[np.ndarray, np.ndarray]:
    images, labels = digits(200, size=8, classes=classes)
    return pixels(images).reshape(len(images), -1), labels.astype(np.int64)


def fitted(name: str, classes: int = 3, threads: int = 2) -> ClassifierMixin:
    declared = Declared.model_validate(MODELS[name])
    return fit(build(declared.class_, declared.settings, 42, PLACE), *rows(classes), threads, PLACE)


def save_all(folder: Path) -> None:
    """Fit and save every model in a folder; a second process calls this too."""
    os.chdir(folder)
    for name in MODELS:
        save_baseline(name, fitted(name))


# Declarations


@pytest.mark.parametrize("package", ["lightgbm", "xgboost"])
def test_a_package_that_is_not_installed_names_the_command(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with refused("baselines.x.class", f"'{package}.Classifier'", package, "'make boosting'"):
        build(f"{package}.Classifier", {}, 42, PLACE)


@pytest.mark.parametrize("path", ["catboost.CatBoostClassifier", "sklearn.svm.SVC", "os.system", "lightgbm.sklearn.X"])
def test_import_paths_of_other_packages_are_refused(path: str) -> None:
    with refused("baselines.x.class", f"'{path}'", "lightgbm.CLASS", "xgboost.CLASS"):
        build(path, {}, 42, PLACE)


@needs_packages
@pytest.mark.parametrize(
    ("class_name", "settings", "key", "words"),
    [
        ("lightgbm.LGBMClasifier", {}, ".class", ("'LGBMClasifier'", "'LGBMClassifier'")),
        ("lightgbm.LGBMRegressor", {}, ".class", ("'LGBMRegressor'", "LGBMClassifier")),
        ("xgboost.train", {}, ".class", ("'train'", "XGBClassifier")),
        ("lightgbm.LGBMClassifier", {"num_leaf": 3}, ".num_leaf", ("'num_leaf'", "'num_leaves'")),
        ("xgboost.XGBClassifier", {"max_deep": 3}, ".max_deep", ("'max_deep'", "'max_depth'")),
        ("xgboost.XGBClassifier", {"n_jobs": 3}, ".n_jobs", ("training.threads",)),
        ("lightgbm.LGBMClassifier", {"deterministic": False}, ".deterministic", ("'deterministic'",)),
        # Only found by fitting.
        ("lightgbm.LGBMClassifier", {"num_leaves": -3}, "", ("lightgbm.LGBMClassifier", "num_leaves")),
        ("xgboost.XGBClassifier", {"max_depth": "deep"}, "", ("xgboost.XGBClassifier", "max_depth", "'deep'")),
        # No safe file format.
        ("xgboost.XGBClassifier", {"booster": "gblinear"}, "", ("saved", "file", "format")),
        ("xgboost.XGBClassifier", {"multi_strategy": "multi_output_tree"}, "", ("saved", "file", "format")),
    ],
)
def test_declarations_that_are_refused(
    class_name: str, settings: dict[str, Any], key: str, words: tuple[str, ...]
) -> None:
    declared = Declared.model_validate({"class": class_name, **settings})
    with refused(f"baselines.x{key}", *words):
        check_models({"x": declared}, {}, {}, rows=100, image_size=(8, 8), classes=3, seed=42)


@needs_packages
def test_all_models_pass_the_check_and_take_the_seed() -> None:
    declared = {name: Declared.model_validate(model) for name, model in MODELS.items()}
    check_models(declared, {}, {}, rows=100, image_size=(8, 8), classes=3, seed=42)
    assert build("xgboost.XGBClassifier", {}, 42, PLACE).random_state == 42
    assert build("lightgbm.LGBMClassifier", {"random_state": 7}, 42, PLACE).random_state == 7


# Files


@needs_packages
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_predicts_the_same_after_loading(name: str, classes: int) -> None:
    model = fitted(name, classes)
    X, y = rows(classes)
    save_baseline(name, model)
    loaded = load_baseline(name)
    expected, found = predictions(model, X, classes), predictions(loaded, X, classes)
    assert expected.kind == found.kind == "probability"
    np.testing.assert_array_equal(found.codes, expected.codes)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert np.mean(found.codes == y) > 0.9
    assert loaded.get_params(deep=False).get("n_jobs") is None


@needs_packages
def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "here", tmp_path / "there"]
    for folder in folders:
        folder.mkdir()
    code = f"from pathlib import Path; import test_boosting; test_boosting.save_all(Path({str(folders[1])!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT / "tests", env={"PYTHONPATH": str(ROOT)}, check=True)
    save_all(folders[0])
    first, second = ({name: (folder / BASELINES.path(name)).read_bytes() for name in MODELS} for folder in folders)
    assert first == second


@needs_packages
def test_the_number_of_threads_is_not_in_the_file() -> None:
    for name in ("lightgbm", "xgboost"):
        for threads in (1, 2):
            save_baseline(f"{name}-{threads}", fitted(name, threads=threads))
        assert BASELINES.path(f"{name}-1").read_bytes() == BASELINES.path(f"{name}-2").read_bytes()


@needs_packages
def test_a_model_of_a_package_that_is_not_installed_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    save_baseline("lightgbm", fitted("lightgbm"))
    for module in [name for name in sys.modules if name.partition(".")[0] == "lightgbm"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=r"lightgbm\.skops .*'make boosting'"):
        load_baseline("lightgbm")


def changed_text(name: str, change: Callable[[str], str]) -> str:
    """Save a model, change the text of its booster in the file, and return the message of the error in loading it."""
    save_baseline(name, fitted(name))
    path = BASELINES.path(name)

    def changed(part: Any) -> Any:
        if isinstance(part, dict) and part.get("is_json") and len(part["content"]) > 1000:
            return {**part, "content": json.dumps(change(json.loads(part["content"])))}
        if isinstance(part, dict):
            return {key: changed(item) for key, item in part.items()}
        return part

    members = [
        (member, json.dumps(changed(json.loads(content))).encode() if member == "schema.json" else content)
        for member, content in read_archive(path)
    ]
    assert members != read_archive(path)
    write_archive(path, members)
    with pytest.raises(UserError) as caught:
        load_baseline(name)
    return str(caught.value)


LIGHTGBM_DAMAGE = {
    "child": lambda text: text.replace("left_child=", "left_child=999 ", 1),
    "loop": lambda text: text.replace("left_child=1", "left_child=0", 1),
    "feature": lambda text: text.replace("max_feature_idx=63", "max_feature_idx=1"),
    "classes": lambda text: text.replace("num_class:3", "num_class:30"),
    "trees": lambda text: text.replace("num_tree_per_iteration=3", "num_tree_per_iteration=7"),
    "sizes": lambda text: text.replace("version=v4", "version=v4\ntree_sizes=99999 1"),
    "categories": lambda text: text.replace("num_cat=0", "num_cat=1", 1),
    "duplicate": lambda text: text.replace("num_cat=0", "num_cat=0\nnum_cat=1", 1),
    "end": lambda text: text.replace("\n\nend of trees", "\nend of trees"),
    "threshold": lambda text: text.replace("threshold=", "threshold=0.5 ", 1),
}


@needs_packages
@pytest.mark.parametrize("damage", LIGHTGBM_DAMAGE)
def test_a_damaged_model_of_lightgbm_is_refused(damage: str) -> None:
    assert "tree" in changed_text("lightgbm", LIGHTGBM_DAMAGE[damage])


def xgboost_damage(keys: str, value: Any) -> Callable[[str], str]:
    """Return a function that changes one value of a model, whose keys are joined by dots."""

    def change(text: str) -> str:
        model = json.loads(text)
        *path, last = [int(key) if key.isdigit() else key for key in keys.split(".")]
        part = model["learner"]
        for key in path:
            part = part[key]
        part[last] = value
        return json.dumps(model)

    return change


TREE = "gradient_booster.model.trees.0"


@needs_packages
@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (f"{TREE}.left_children.0", 999),
        (f"{TREE}.right_children.0", 0),
        (f"{TREE}.split_indices.0", 64),
        (f"{TREE}.split_type.0", 1),
        (f"{TREE}.tree_param.num_nodes", "1000000"),
        (f"{TREE}.tree_param.size_leaf_vector", "3"),
        ("gradient_booster.model.tree_info.0", 3),
        ("gradient_booster.model.iteration_indptr.1", 999),
        ("gradient_booster.model.gbtree_model_param.num_trees", "16"),
        ("learner_model_param.num_class", "2"),
        ("learner_model_param.base_score", "[0.5,0.5]"),
        ("learner_model_param.num_target", "3"),
        ("gradient_booster.name", "gblinear"),
    ],
)
def test_a_damaged_model_of_xgboost_is_refused(keys: str, value: Any) -> None:
    assert "tree" in changed_text("xgboost", xgboost_damage(keys, value))
