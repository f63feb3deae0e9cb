"""Model files: the same bytes in every process, the same predictions after loading, and no code run from a file."""

import functools
import inspect
import io
import json
import os
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import sklearn
import skops.io
from sklearn.decomposition import PCA
from sklearn.naive_bayes import GaussianNB
from sklearn.tree._tree import Tree
from sklearn.utils import all_estimators

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.files.keras_models import NEW_SETTINGS, load_net, save_net
from stages.shared.files.predictions import Predictions, load_predictions, save_predictions
from stages.shared.files.skops_models import TRUSTED, load_baseline, save_baseline
from stages.shared.models import build_classifier
from stages.shared.process.run import peak_memory
from tests.fixtures import saved_models
from tests.fixtures.saved_models import CLASSIFIERS, NETS, fitted, rows
from tests.fixtures.small_project import ROOT
from tests.fixtures.synthetic import digits, pixels

NET, BASELINE = paths.NETS.path("x"), paths.BASELINES.path("x")


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def error_of(call: Callable[..., Any], *arguments: Any) -> str:
    """Call a function, which must raise a UserError of one line; return its message."""
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def files_below(folder: Path = Path()) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def change_member(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    """Change one member of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


# The same bytes in every process


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with all models, saved by this process, and the models themselves."""
    folder = tmp_path_factory.mktemp("this-process")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, saved_models.main()


@pytest.fixture(scope="module")
def models(saved: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    return saved[1]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all models, saved by another process."""
    folder = tmp_path_factory.mktemp("another-process")
    subprocess.run(
        [sys.executable, "-m", "tests.fixtures.saved_models"],
        cwd=folder,
        # Another hash seed gives sets of strings another order.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        check=True,
        timeout=600,
    )
    return folder


def test_two_processes_write_the_same_bytes(saved: tuple[Path, Any], elsewhere: Path) -> None:
    files = files_below(elsewhere)
    assert files == files_below(saved[0])
    assert len(files) == len(CLASSIFIERS) + len(NETS)
    assert [file for file in files if (saved[0] / file).read_bytes() != (elsewhere / file).read_bytes()] == []


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_predicts_the_same_after_loading(
    models: dict[str, Any], elsewhere: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere)
    loaded, original = load_baseline(name), models[name]
    assert type(loaded) is type(original)
    assert loaded.get_params(deep=False).keys() == original.get_params(deep=False).keys()
    X, _ = rows(name)
    predicted = original.predict(X)
    # These two cannot learn from grey values; the others predict every class, so that the comparison means something.
    assert name in ("dummy", "categorical-nb") or len(set(predicted)) == len(original.classes_)
    np.testing.assert_array_equal(loaded.predict(X), predicted)
    for scores in ("predict_proba", "decision_function"):
        assert hasattr(loaded, scores) == hasattr(original, scores)
        if hasattr(original, scores):
            np.testing.assert_array_equal(getattr(loaded, scores)(X), getattr(original, scores)(X))


def test_all_classifiers_of_scikit_learn_are_tried() -> None:
    tried = {declared["class"] for declared in CLASSIFIERS.values()}
    classes = {name for name, _ in all_estimators(type_filter="classifier")}
    assert classes - tried == {
        "ClassifierChain",
        "MultiOutputClassifier",
        "PassiveAggressiveClassifier",
        "TunedThresholdClassifierCV",
    }


def test_every_trusted_type_is_needed(saved: tuple[Path, Any]) -> None:
    files = (saved[0] / paths.BASELINES.folder).glob("*.skops")
    needed = {name for file in files for name in skops.io.get_untrusted_types(file=file)}
    assert sorted(TRUSTED) == sorted(needed)


# Nets


@pytest.mark.parametrize("name", NETS)
def test_plain_keras_loads_a_net_and_predicts_the_same(
    models: dict[str, Any], elsewhere: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere)
    images = pixels(digits(20, size=6, classes=3, seed=1)[0])[..., np.newaxis]
    plain = keras.saving.load_model(paths.NETS.path(name), safe_mode=True)
    expected, by_keras, by_us = (
        # Called without a compiled graph, which takes a second to build.
        keras.ops.convert_to_numpy(keras.Model(model.inputs[0], model.outputs[0])(images, training=False))
        for model in (models[name], plain, load_net(name))
    )
    np.testing.assert_array_equal(by_keras, expected)
    np.testing.assert_array_equal(by_us, expected)
    assert expected.shape == (20, 3) and np.ptp(expected) > 0
    assert plain.name == name and getattr(plain, "optimizer", None) is None


@pytest.mark.parametrize(("name", "kernels"), [("chain", 2), ("skip", 2), ("shared", 4)])
def test_the_file_of_a_net_has_no_date_and_no_optimizer(saved: tuple[Path, Any], name: str, kernels: int) -> None:
    with zipfile.ZipFile(saved[0] / paths.NETS.path(name)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"] == "1980-01-01@00:00:00"
        assert json.loads(archive.read("config.json")).get("compile_config", {}) == {}
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
            assert "optimizer" not in weights
            keys: list[str] = []
            weights.visit(keys.append)
    assert sum(key.endswith("vars/0") for key in keys) == kernels


def test_settings_that_older_versions_of_keras_lack_are_saved_only_if_they_are_set() -> None:
    image = keras.Input((6, 6, 1))
    norms = [keras.layers.BatchNormalization(name=f"renorm-{on}", renorm=on)(image) for on in (False, True)]
    attention = keras.layers.MultiHeadAttention(2, 2, name="attention")(*norms)
    small = keras.layers.Resizing(3, 3, name="small")(attention)
    model = keras.Model(image, keras.layers.Dense(3, name="dense")(small), name="x")
    assert all(f'"{name}"' in model.to_json() for name in NEW_SETTINGS)
    save_net("x", model)
    with zipfile.ZipFile(NET) as archive:
        config = archive.read("config.json").decode()
    assert [name for name in NEW_SETTINGS if f'"{name}"' in config] == ["renorm_clipping", "renorm"]
    assert '"renorm": true' in config
    assert load_net("x").to_json() == model.to_json()


def test_settings_that_older_versions_of_keras_lack_have_these_defaults() -> None:
    classes = [*vars(keras.layers).values(), *vars(keras.initializers).values()]
    signatures = [inspect.signature(cls) for cls in classes if inspect.isclass(cls)]
    parameters = [parameter for signature in signatures for parameter in signature.parameters.values()]
    found = {(parameter.name, parameter.default) for parameter in parameters if parameter.name in NEW_SETTINGS}
    assert found == set(NEW_SETTINGS.items())


def test_saving_does_not_change_the_net(models: dict[str, Any]) -> None:
    model = models["chain"]
    before = [weight.copy() for weight in model.get_weights()]
    save_net("x", model)
    assert model.name == "as-trained" and model.optimizer is not None
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_the_file_of_another_net_is_refused(models: dict[str, Any]) -> None:
    save_net("other", models["chain"])
    NET.write_bytes(paths.NETS.path("other").read_bytes())
    assert {str(NET), "'other';", "verify'"} <= set(error_of(load_net, "x").split())


def test_a_net_with_a_lambda_is_refused_and_not_run() -> None:
    image = keras.Input((2, 2, 1))
    model = keras.Model(image, keras.layers.Lambda(lambda x: [Path("sprung").touch(), x][1])(image))
    assert Path("sprung").exists(), "the trap works"
    Path("sprung").unlink()
    NET.parent.mkdir(parents=True)
    model.save(NET)
    assert f"{NET} cannot be read: keras.layers.Lambda " in error_of(load_net, "x")
    assert not Path("sprung").exists()


# Patterns of published attacks: names that Keras imports and calls while it reads the file.
FOREIGN: dict[str, dict[str, Any]] = {
    "a function as a layer": {"module": "os", "class_name": "mkdir", "config": {"path": "sprung"}},
    "a function by its name": {"module": "builtins", "class_name": "function", "config": "exec"},
    "a function without a module": {"class_name": "function", "config": "exec", "registered_name": "function"},
    "a download by Keras": {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"fname": "sprung", "origin": "file:///etc/hostname", "cache_dir": ".", "cache_subdir": "."},
    },
    "code as text": {"module": "keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": "x"}}},
    "bytecode": {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}},
    "a TensorFlow SavedModel": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
    "a PyTorch pickle": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}},
}


@pytest.mark.parametrize("place", ["layer", "setting", "compilation"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_nothing_that_the_file_of_a_net_names_is_called(models: dict[str, Any], foreign: str, place: str) -> None:
    save_net("x", models["chain"])
    load_net("x")
    spec = {"registered_name": None, **FOREIGN[foreign]}

    def spring(content: bytes) -> bytes:
        config = json.loads(content)
        layer = config["config"]["layers"][-1]
        if place == "layer":
            layer.update(spec)
        elif place == "setting":
            layer["config"]["activation"] = spec
        else:
            config["config"]["compile_config"] = {"optimizer": spec}
        return json.dumps(config).encode()

    change_member(NET, "config.json", spring)
    module = spec.get("module", "keras.layers" if place == "layer" else None)
    assert f"{NET} cannot be read: {module}.{spec['class_name']} " in error_of(load_net, "x")
    assert files_below() == [str(NET)]


# Files that are missing, damaged, or too large


def save_both(models: dict[str, Any]) -> None:
    save_net("x", models["chain"])
    save_baseline("x", fitted("gaussian-nb"))


@pytest.mark.parametrize(("path", "load"), [(NET, load_net), (BASELINE, load_baseline)])
def test_a_missing_model_is_named_with_the_remedy(path: Path, load: Callable[[str], object]) -> None:
    error = error_of(load, "x")
    assert error.startswith(f"{path} is missing") and "'dvc repro'" in error


@pytest.mark.parametrize(("path", "load"), [(NET, load_net), (BASELINE, load_baseline)])
@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
def test_a_damaged_model_is_named(
    models: dict[str, Any], damage: str, path: Path, load: Callable[[str], object]
) -> None:
    save_both(models)
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]
    path.write_bytes({"empty": b"", "text": b"no archive", "cut": content[:500], "flipped": flipped}[damage])
    assert error_of(load, "x").startswith(f"{path} cannot be read: ")


@pytest.mark.parametrize(
    ("path", "load", "member", "installed"),
    [
        (NET, load_net, "metadata.json", keras.__version__),
        (BASELINE, load_baseline, "schema.json", sklearn.__version__),
    ],
)
def test_a_model_of_another_version_is_refused(
    models: dict[str, Any], path: Path, load: Callable[[str], object], member: str, installed: str
) -> None:
    save_both(models)
    # Another patch version reads the same files.
    patch = ".".join([*installed.split(".")[:2], "99"])
    change_member(path, member, lambda old: old.replace(installed.encode(), patch.encode()))
    load("x")
    change_member(path, member, lambda old: old.replace(patch.encode(), b"0.99.0"))
    error = error_of(load, "x")
    assert error.startswith(str(path)) and "0.99.0" in error and installed in error


BOMB = 150_000_000  # bytes of zeros, which compress to a thousandth


@pytest.mark.parametrize("kind", ["net", "baseline", "predictions"])
@pytest.mark.parametrize("honest", [True, False])
def test_a_zip_bomb_is_refused_before_it_unpacks(models: dict[str, Any], kind: str, honest: bool) -> None:
    save_both(models)
    answers = Predictions(np.zeros(3, np.int64), np.zeros((3, 2), np.float32), "none")
    save_predictions("x", answers, answers)
    path, ending, load = {
        "net": (NET, ".h5", lambda: load_net("x")),
        "baseline": (BASELINE, ".npy", lambda: load_baseline("x")),
        "predictions": (paths.PREDICTIONS.path("x"), "test_codes.npy", lambda: load_predictions("x", "test")),
    }[kind]
    with zipfile.ZipFile(path) as archive:
        member = next(name for name in archive.namelist() if name.endswith(ending))
        size = archive.getinfo(member).file_size
    change_member(path, member, lambda old: old + bytes(BOMB))
    if not honest:
        # The directory at the end of the file, which counts, declares a small size.
        path.write_bytes(path.read_bytes().replace(struct.pack("<I", BOMB + size), b"\x40\0\0\0"))
    tracemalloc.start()
    try:
        error = error_of(load)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.startswith(f"{path} cannot be read: ")
    assert peak < BOMB / 10
    if kind != "predictions":
        assert ("unpack to 0.2 GB" if honest else f"'{member}'") in error


def resized() -> keras.Model:
    """Return a net of layers that change the size of an image, without weights for it."""
    image = keras.Input((6, 6, 1), name="image")
    padded = keras.layers.ZeroPadding2D(1, name="padded")(image)
    larger = keras.layers.UpSampling2D(2, name="larger")(padded)
    small = keras.layers.Resizing(6, 6, name="small")(larger)
    pooled = keras.layers.AdaptiveAveragePooling2D(3, name="pooled")(small)
    repeated = keras.layers.RepeatVector(2, name="repeated")(keras.layers.Flatten(name="flat")(pooled))
    mean = keras.layers.GlobalAveragePooling1D(name="mean")(repeated)
    return keras.Model(image, keras.layers.Dense(3, name="last")(mean), name="x")


@pytest.mark.parametrize(
    ("layer", "settings", "words"),
    [
        ("last", {"units": 2 * 10**9}, "last has units 2,000,000,000; at most 1,000,000"),
        ("last", {"units": 10**6}, "declares 10,000,000 weights, and holds"),
        ("padded", {"padding": [[400_000, 0], [0, 400_000]]}, "output for one image takes 2,560.1 GB"),
        ("larger", {"size": [10**6, 10**6]}, "output for one image takes 256,000.0 GB"),
        ("small", {"height": 10**6, "width": 10**6}, "output for one image takes 4,000.0 GB"),
        ("pooled", {"output_size": [10**9, 1]}, "pooled has output_size 1,000,000,000; at most 1,000,000"),
        ("repeated", {"n": 10**12}, "repeated has n 1,000,000,000,000; at most 1,000,000"),
    ],
)
def test_a_net_that_takes_more_memory_than_its_file_accounts_for(
    layer: str, settings: dict[str, Any], words: str
) -> None:
    save_net("x", resized())
    load_net("x")

    def enlarge(content: bytes) -> bytes:
        config = json.loads(content)
        next(part for part in config["config"]["layers"] if part["name"] == layer)["config"].update(settings)
        return json.dumps(config).encode()

    change_member(NET, "config.json", enlarge)
    before = peak_memory()
    error = error_of(load_net, "x")
    assert error.startswith(f"{NET} cannot be read: ") and words in error
    assert peak_memory() - before < 100_000_000
    save_net("x", resized())
    load_net("x")  # a refused net leaves nothing behind


def test_weights_that_are_larger_than_their_file(models: dict[str, Any]) -> None:
    save_net("x", models["chain"])
    empty = io.BytesIO()
    with h5py.File(empty, "w") as file:
        file.create_dataset("layers/dense/vars/0", (10**9,), "float32", chunks=(10**6,))
    change_member(NET, "model.weights.h5", lambda _: empty.getvalue())
    assert "its weights would unpack to 4.0 GB" in error_of(load_net, "x")


# Classifiers that are refused


def put(model: Any) -> None:
    """Write a file as skops does, without a check."""
    BASELINE.parent.mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, BASELINE)


@pytest.mark.parametrize(
    ("trap", "name"), [(os.mkdir, "posix.mkdir"), (functools.partial(os.mkdir, "sprung"), "functools.partial")]
)
def test_a_file_with_an_untrusted_type_is_refused(trap: Any, name: str) -> None:
    model = fitted("gaussian-nb")
    model.trap = trap
    put(model)
    error = error_of(load_baseline, "x")
    assert error.startswith(f"{BASELINE} cannot be read: Untrusted types") and name in error
    assert not Path("sprung").exists()


@pytest.mark.parametrize(("other", "name"), [(PCA(), "PCA"), ({"a": 1}, "dict")])
def test_a_file_without_a_classifier_is_refused(other: Any, name: str) -> None:
    put(other)
    error = error_of(load_baseline, "x")
    assert error.startswith(f"{BASELINE} cannot be read: ") and name in error


@pytest.mark.parametrize(
    ("declared", "refused"),
    [
        (
            {"class": "TunedThresholdClassifierCV", "estimator": {"class": "LogisticRegression"}, "cv": 2},
            ["sklearn.metrics._classification.balanced_accuracy_score", "sklearn.metrics._scorer._Scorer"],
        ),
        (
            {"class": "KNeighborsClassifier", "algorithm": "kd_tree"},
            ["sklearn.metrics._dist_metrics.EuclideanDistance64, sklearn.neighbors._kd_tree.KDTree"],
        ),
        (
            {"class": "HistGradientBoostingClassifier", "max_iter": 2, "categorical_features": [0]},
            ["functools.partial, sklearn.utils.validation.check_array"],
        ),
        (
            {"class": "HistGradientBoostingClassifier", "max_iter": 2, "early_stopping": True, "scoring": "accuracy"},
            ["holds the classifier itself"],
        ),
    ],
)
def test_classifiers_that_cannot_be_saved_safely(declared: dict[str, Any], refused: list[str]) -> None:
    settings = {key: value for key, value in declared.items() if key != "class"}
    with saved_models.threadpool_limits(1):
        model = build_classifier.build(declared["class"], settings, 42, ("here",)).fit(*rows("fixed-threshold"))
    error = error_of(save_baseline, "x", model)
    assert "baselines.x" in error and all(name in error for name in refused)
    assert files_below() == []


def test_a_classifier_that_skops_cannot_save() -> None:
    model = GaussianNB()
    model.trap = (number for number in range(3))
    error = error_of(save_baseline, "x", model)
    assert "baselines.x" in error and "'generator'" in error
    assert files_below() == []


# Trees that refer to nodes or pixels that do not exist: scikit-learn would read other memory


def assert_damaged_tree() -> None:
    error = error_of(load_baseline, "x")
    assert error.startswith(f"{BASELINE} cannot be read: ") and "decision tree" in error


def with_root(tree: Tree, field: str, number: int) -> Tree:
    """Return a copy of a tree with another number in its root."""
    make, arguments, state = tree.__reduce__()
    nodes = state["nodes"].copy()
    nodes[field][0] = number
    copy = make(*arguments)
    copy.__setstate__({**state, "nodes": nodes})
    return copy


@pytest.mark.parametrize(
    ("field", "number"),
    [
        ("left_child", 10**9),
        ("right_child", 10**9),
        ("left_child", -7),
        ("left_child", 0),
        ("feature", 36),
        ("feature", -3),
    ],
)
@pytest.mark.parametrize("name", ["decision-tree", "random-forest", "gradient-boosting", "voting"])
def test_a_tree_that_refers_beyond_itself_is_refused(name: str, field: str, number: int) -> None:
    model = fitted(name)
    holder: Any = {
        "decision-tree": lambda: model,
        "voting": lambda: model.estimators_[0],
    }.get(name, lambda: np.ravel(model.estimators_)[-1])()
    holder.tree_ = with_root(holder.tree_, field, number)
    put(model)
    assert_damaged_tree()


def test_a_tree_with_a_wrong_node_count_is_refused() -> None:
    model: Any = fitted("decision-tree")
    make, arguments, state = model.tree_.__reduce__()
    model.tree_ = make(*arguments)
    model.tree_.__setstate__({**state, "node_count": 0})
    put(model)
    assert_damaged_tree()


def test_a_tree_that_takes_more_pixels_than_its_forest_is_refused() -> None:
    boosting: Any = fitted("gradient-boosting")
    boosting.n_features_in_ = 9
    put(boosting)
    assert_damaged_tree()
    forest: Any = fitted("random-forest")
    forest.estimators_[0].n_features_in_ = 1
    put(forest)
    assert_damaged_tree()


@pytest.mark.parametrize(
    ("field", "number"), [("left", 10**9), ("right", 0), ("feature_idx", 36), ("is_categorical", 1)]
)
def test_a_tree_of_histogram_boosting_that_refers_beyond_itself_is_refused(field: str, number: int) -> None:
    model: Any = fitted("hist-gradient-boosting")
    put(model)
    load_baseline("x")
    nodes = model._predictors[1][0].nodes
    assert not nodes["is_leaf"][0]
    nodes[field][0] = number
    put(model)
    assert_damaged_tree()
