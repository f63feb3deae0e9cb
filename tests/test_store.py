"""Files: whole or absent, the same bytes in every process, read back as written, and never run."""

import functools
import io
import json
import os
import pickle
import re
import shutil
import signal
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
import pandas as pd
import pytest
import sklearn
import skops.io
from conftest import ROOT
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree
from stages.shared.files.training_history import load_history, save_history, save_summary

from stages.shared.errors import UserError
from stages.shared.files import datasets, formats, paths
from stages.shared.files.keras_models import load_net, save_net
from stages.shared.files.predictions import Predictions, load_facts, load_predictions, save_facts, save_predictions
from stages.shared.files.skops_models import TRUSTED, load_baseline, save_baseline
from stages.shared.files.whole_files import replacing, require_file
from stages.shared.models import build_classifier
from tests.fixtures import saved_models
from tests.fixtures.saved_models import CLASSIFIERS, NETS, fitted, rows
from tests.fixtures.synthetic import digits, pixels


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(call: Callable[..., Any], *arguments: Any) -> str:
    """Call a function, which must raise a UserError of one sentence; return it."""
    with pytest.raises(UserError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def everything(folder: Path = Path()) -> list[str]:
    """List all files below a folder, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Whole or absent


def test_a_file_appears_under_its_name_once_it_is_whole() -> None:
    path = Path("a/b/report.txt")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent.absolute(), path.suffix)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert everything() == ["a/b/report.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_and_no_other(error: type[BaseException]) -> None:
    path = Path("report.txt")
    path.write_text("old")
    with pytest.raises(error), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert everything() == ["report.txt"]


def test_an_error_leaves_no_file_where_there_was_none() -> None:
    with pytest.raises(ZeroDivisionError), replacing(Path("report.txt")) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert everything() == []


def test_what_a_killed_process_was_writing_goes_when_its_folder_is_written_to_again() -> None:
    writes = (
        "import os, signal; from pathlib import Path; from stages.shared.files.whole_files import replacing\n"
        "with replacing(Path('reports/a.txt')) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", writes], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(everything()) == 1 and everything()[0].startswith("reports/.writing-")
    with replacing(Path("reports/b.txt")) as temporary:
        temporary.write_text("one")
        formats.save_text(Path("reports/c.txt"), "what is being written stays")
        assert temporary.exists()
    assert everything() == ["reports/b.txt", "reports/c.txt"]


def test_a_full_disk_is_a_sentence_and_leaves_the_old_file() -> None:
    Path("report.txt").write_text("old")

    def write() -> None:
        with replacing(Path("report.txt")) as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    assert refused(write) == "cannot write report.txt: No space left on device"
    assert Path("report.txt").read_text() == "old"
    assert everything() == ["report.txt"]


def test_a_folder_that_cannot_be_made_is_a_sentence() -> None:
    Path("reports").write_text("a file where a folder should be")
    assert refused(formats.save_text, Path("reports/a.txt"), "x") == "cannot write reports/a.txt: File exists"
    assert refused(formats.save_text, Path("reports/b/a.txt"), "x") == "cannot write reports/b/a.txt: Not a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_a_folder_that_cannot_be_written_to_is_a_sentence() -> None:
    Path("locked").mkdir(mode=0o555)
    assert refused(formats.save_text, Path("locked/a.txt"), "x") == "cannot write locked/a.txt: Permission denied"


def test_a_missing_file_is_a_sentence() -> None:
    said = "data/raw/images.npy is missing; run 'dvc repro', which runs the stage that makes it"
    assert refused(require_file, Path("data/raw/images.npy")) == said
    assert refused(datasets.load_raw_images) == said


# Arrays


def test_the_raw_data_set_comes_back_as_it_was_saved() -> None:
    images, labels = digits(12, size=5, classes=3)
    datasets.save_raw(datasets.Raw(images, labels.astype(np.uint8), 9))
    raw = datasets.load_raw()
    assert isinstance(raw.images, np.memmap)
    np.testing.assert_array_equal(raw.images, images)
    assert raw.images.dtype == raw.labels.dtype == np.uint8
    np.testing.assert_array_equal(raw.labels, labels)
    assert raw.train_rows == 9
    datasets.save_raw(raw._replace(labels=np.array(["a", "bb"] * 6), train_rows=None))
    assert (datasets.load_raw().labels.dtype, datasets.load_raw().train_rows) == (np.dtype("<U2"), None)


@pytest.mark.parametrize("n", [6, 0])
def test_a_set_of_the_split_comes_back_as_it_was_saved(n: int) -> None:
    images, labels = digits(n, size=5, classes=3)
    datasets.save_set("validation", pixels(images), labels)
    assert everything(Path("data/split")) == ["validation/images.npy", "validation/labels.npy"]
    loaded = datasets.load_images("validation")
    assert (loaded.dtype, loaded.shape) == (np.float32, (n, 5, 5))
    np.testing.assert_array_equal(loaded, pixels(images))
    assert datasets.load_labels("validation").dtype == np.int64
    np.testing.assert_array_equal(datasets.load_labels("validation"), labels)


def test_class_names_stay_text() -> None:
    names = ["NA", "01", "true", "1e5", "null", "é ü", ""]
    datasets.save_classes(names, 28, 20)
    assert datasets.load_classes() == names
    assert datasets.load_image_size() == (28, 20)


DAMAGED = r"is damaged \(.+\); delete it and run 'dvc repro', which makes or checks it out again"


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("damage", ["empty", "cut", "text", "pickled"])
def test_a_damaged_array_is_a_sentence(damage: str, mapped: bool) -> None:
    path = Path("a.npy")
    datasets.save_array(path, np.arange(100))
    whole = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "cut": whole[:300], "text": b"not an array", "pickled": pickle.dumps(np.arange(3))}[damage]
    )
    with pytest.raises(UserError, match=DAMAGED):
        datasets.load_array(path, mapped)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("sprung"),)


def test_a_pickled_array_is_refused_unread() -> None:
    pickle.loads(pickle.dumps(Trap()))
    assert Path("sprung").exists()
    Path("sprung").unlink()

    np.save("a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(
        UserError, match=r"a\.npy is damaged \(Object arrays cannot be loaded when allow_pickle=False\)"
    ):
        datasets.load_array(Path("a.npy"))
    np.savez("models.npz", validation_codes=np.array([Trap()], dtype=object))
    paths.PREDICTIONS.mkdir(parents=True)
    shutil.move("models.npz", paths.PREDICTIONS / "x.npz")
    with pytest.raises(UserError, match=r"x\.npz is damaged \(Object arrays cannot be loaded"):
        load_predictions("x", "validation")
    assert not Path("sprung").exists()


def test_an_array_of_objects_is_not_saved() -> None:
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        datasets.save_array(Path("a.npy"), np.array([{}], dtype=object))
    assert everything() == []


def test_damaged_json_is_a_sentence() -> None:
    datasets.save_classes(["a", "b"], 8, 8)
    (paths.SPLIT / "classes.json").write_text('{"names": [')
    with pytest.raises(UserError, match=rf"data/split/classes\.json {DAMAGED}"):
        datasets.load_classes()


# Predictions, facts, history


def predictions_of(n: int, classes: int = 3, kind: Any = "probability") -> Predictions:
    rng = np.random.default_rng(n)
    columns = 0 if kind == "none" else classes
    return Predictions(rng.integers(0, classes, n), rng.random((n, columns)).astype(np.float32), kind)


@pytest.mark.parametrize("kind", ["probability", "decision", "none"])
def test_predictions_come_back_as_they_were_saved(kind: str) -> None:
    validation, test = predictions_of(0, kind=kind), predictions_of(7, kind=kind)
    save_predictions("x", validation, test)
    for name, saved in (("validation", validation), ("test", test)):
        loaded = load_predictions("x", name)  # type: ignore[arg-type]
        assert (loaded.kind, loaded.codes.dtype, loaded.scores.dtype) == (kind, np.int64, np.float32)
        np.testing.assert_array_equal(loaded.codes, saved.codes)
        np.testing.assert_array_equal(loaded.scores, saved.scores)


def test_predictions_have_the_same_bytes_every_time() -> None:
    save_predictions("x", predictions_of(3), predictions_of(7))
    save_predictions("y", predictions_of(3), predictions_of(7))
    first, second = ((paths.PREDICTIONS / f"{name}.npz").read_bytes() for name in "xy")
    assert first == second


def test_damaged_predictions_and_facts_are_sentences() -> None:
    save_predictions("x", predictions_of(3), predictions_of(7))
    path = paths.PREDICTIONS / "x.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=r"models/predictions/x\.npz is damaged \(.+\); run 'dvc repro'"):
        load_predictions("x", "test")
    save_facts("x", {"parameters": 3})
    (paths.FACTS / "x.json").write_text("{")
    with pytest.raises(UserError, match=r"models/facts/x\.json is damaged \(.+\); run 'dvc repro'"):
        load_facts("x")


def test_facts_come_back_as_they_were_saved() -> None:
    facts = {"train_accuracy": 1 / 3, "parameters": None, "train_rows_judged": 10}
    save_facts("x", facts)
    assert load_facts("x") == facts
    assert list(load_facts("x")) == sorted(facts)


def test_a_history_comes_back_rounded() -> None:
    history = pd.DataFrame({"epoch": [1, 2], "accuracy": [0.12345678, 1.0], "loss": [2.0, 1e-9]})
    save_history("x", history)
    assert (paths.HISTORY / "x.csv").read_bytes() == b"epoch,accuracy,loss\n1,0.123457,2.0\n2,1.0,0.0\n"
    assert load_history("x").to_dict("list") == {"epoch": [1, 2], "accuracy": [0.123457, 1.0], "loss": [2.0, 0.0]}
    save_summary("x", "┃ Layer ┃\n")
    assert (paths.SUMMARIES / "x.txt").read_text(encoding="utf-8") == "┃ Layer ┃\n"


# Reports


def test_json_is_rounded_in_any_depth_and_keeps_its_order() -> None:
    path = Path("a.json")
    formats.save_json(path, {"b": 1 / 3, "a": [np.float64(2 / 3), {"c": (0.1 + 0.2, 5, None, True, "é")}]})
    assert formats.load_json(path) == {"b": 0.333333, "a": [0.666667, {"c": [0.3, 5, None, True, "é"]}]}
    assert list(formats.load_json(path)) == ["b", "a"]
    assert path.read_text(encoding="utf-8").endswith("}\n") and "é" in path.read_text(encoding="utf-8")


def test_json_holds_no_nan_which_other_programs_cannot_read() -> None:
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        formats.save_json(Path("a.json"), {"a": float("nan")})
    assert everything() == []


def test_damaged_reports_are_sentences() -> None:
    Path("a.json").write_text("[1,")
    with pytest.raises(UserError, match=r"a\.json is damaged \(.+\); run 'dvc repro', which makes it again"):
        formats.load_json(Path("a.json"))


def test_text_in_tables_stays_text() -> None:
    names = ["NA", "01", "true", "1e5", "null", "with, comma", 'with "quotes"', "é"]
    formats.save_table(Path("a.csv"), pd.DataFrame({"class": names, "recall": np.arange(8) / 7}))
    table = formats.load_table(Path("a.csv"))
    assert table["class"].tolist() == names
    assert table["recall"].tolist()[:3] == ["0.0", "0.142857", "0.285714"]


# Models: the same bytes in every process


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with all models, saved by this process, and the models themselves."""
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return folder, saved_models.main()


@pytest.fixture(scope="module")
def here(saved: tuple[Path, dict[str, Any]]) -> Path:
    return saved[0]


@pytest.fixture(scope="module")
def models(saved: tuple[Path, dict[str, Any]]) -> dict[str, Any]:
    return saved[1]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all models, saved by another process."""
    folder = tmp_path_factory.mktemp("elsewhere")
    subprocess.run(
        [sys.executable, str(ROOT / "tests" / "saved_models.py")],
        cwd=folder,
        # Sets of strings have another order there.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"},
        check=True,
        timeout=600,
    )
    return folder


def test_two_processes_write_the_same_files(here: Path, elsewhere: Path) -> None:
    assert everything(here) == everything(elsewhere)
    assert len(everything(here)) == len(CLASSIFIERS) + len(NETS)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_two_processes_write_a_classifier_with_the_same_bytes(here: Path, elsewhere: Path, name: str) -> None:
    path = paths.baseline_file(name)
    assert (here / path).read_bytes() == (elsewhere / path).read_bytes()


@pytest.mark.parametrize("name", NETS)
def test_two_processes_write_a_net_with_the_same_bytes(here: Path, elsewhere: Path, name: str) -> None:
    path = paths.net_file(name)
    assert (here / path).read_bytes() == (elsewhere / path).read_bytes()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_predicts_the_same_after_loading(
    models: dict[str, Any], elsewhere: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere)
    loaded, made = load_baseline(name), models[name]
    assert type(loaded) is type(made)
    assert loaded.get_params(deep=False).keys() == made.get_params(deep=False).keys()
    X, _ = rows(name)
    predicted = made.predict(X)
    # These two cannot learn from grey values; all others must tell the classes apart to show anything here.
    assert name in ("dummy", "categorical-nb") or len(set(predicted)) == len(made.classes_)
    np.testing.assert_array_equal(loaded.predict(X), predicted)
    for scores in ("predict_proba", "decision_function"):
        assert hasattr(loaded, scores) == hasattr(made, scores)
        if hasattr(made, scores):
            np.testing.assert_array_equal(getattr(loaded, scores)(X), getattr(made, scores)(X))


def test_all_that_scikit_learn_calls_a_classifier_has_been_tried() -> None:
    tried = {declared["class"] for declared in CLASSIFIERS.values()}
    left = {"ClassifierChain", "MultiOutputClassifier", "PassiveAggressiveClassifier", "TunedThresholdClassifierCV"}
    classes = {name for name, _ in build_classifier.all_estimators(type_filter="classifier")}
    assert classes - tried == left


def test_no_type_is_trusted_in_vain(here: Path) -> None:
    files = (here / paths.BASELINES).glob("*.skops")
    assert set(TRUSTED) == {name for file in files for name in skops.io.get_untrusted_types(file=file)}
    assert len(TRUSTED) == len(set(TRUSTED))


# Nets


@pytest.mark.parametrize("name", NETS)
def test_plain_keras_loads_a_net_and_predicts_the_same(
    models: dict[str, Any], elsewhere: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere)
    images = pixels(digits(20, size=6, classes=3, seed=1)[0])[..., np.newaxis]
    loaded = keras.saving.load_model(paths.net_file(name), safe_mode=True)
    expected, plainly, ours = (
        # Called without a compiled graph, which takes a second to make.
        keras.ops.convert_to_numpy(keras.Model(model.inputs[0], model.outputs[0])(images, training=False))
        for model in (models[name], loaded, load_net(name))
    )
    np.testing.assert_array_equal(plainly, expected)
    np.testing.assert_array_equal(ours, expected)
    assert expected.shape == (20, 3) and np.ptp(expected) > 0
    assert loaded.name == name and getattr(loaded, "optimizer", None) is None


@pytest.mark.parametrize("name", NETS)
def test_a_net_s_file_holds_no_date_and_no_optimiser(here: Path, name: str) -> None:
    with zipfile.ZipFile(here / paths.net_file(name)) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert json.loads(archive.read("metadata.json"))["date_saved"] == "1980-01-01@00:00:00"
        assert json.loads(archive.read("config.json")).get("compile_config", {}) == {}
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
            assert "optimizer" not in weights
            kernels: list[str] = []
            weights.visit(kernels.append)
    assert sum(key.endswith("vars/0") for key in kernels) == {"chain": 2, "skip": 2, "shared": 4}[name]


def test_saving_leaves_the_net_as_it_is(models: dict[str, Any]) -> None:
    model = models["chain"]
    before = [weight.copy() for weight in model.get_weights()]
    save_net("other-name", model)
    assert model.name == "as-trained" and model.optimizer is not None
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_net_with_a_lambda_is_refused_and_not_run() -> None:
    image = keras.Input((2, 2, 1))
    model = keras.Model(image, keras.layers.Lambda(lambda x: [Path("sprung").touch(), x][1])(image))
    assert Path("sprung").exists()
    Path("sprung").unlink()
    paths.NETS.mkdir(parents=True)
    model.save(paths.net_file("trap"))
    said = refused(load_net, "trap")
    assert said.startswith("models/nets/trap.keras cannot be loaded as a Keras model: ")
    assert "it names keras.layers.Lambda, which is no part of a net that can be loaded safely" in said
    assert not Path("sprung").exists()


def with_config(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the config.json of a saved net, as somebody else could."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    config = json.loads(members["config.json"])
    change(config["config"])
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def test_a_net_that_names_foreign_code_is_refused_and_not_run(models: dict[str, Any]) -> None:
    def name_mkdir(config: dict[str, Any]) -> None:
        layer = config["layers"][1]
        layer |= {"module": "os", "class_name": "mkdir", "registered_name": None, "config": {"path": "sprung"}}

    save_net("trap", models["chain"])
    load_net("trap")
    with_config(paths.net_file("trap"), name_mkdir)
    assert refused(load_net, "trap").startswith("models/nets/trap.keras cannot be loaded as a Keras model: ")
    assert not Path("sprung").exists()


# Patterns of published attacks: a name that Keras imports and calls while it reads the file.
FOREIGN: dict[str, dict[str, Any]] = {
    "a function as a layer": {"module": "os", "class_name": "mkdir", "config": {"path": "sprung"}},
    "a function by its name": {"module": "builtins", "class_name": "function", "config": "exec"},
    "a function without a module": {"class_name": "function", "config": "exec", "registered_name": "function"},
    "Keras's own download": {
        "module": "keras.utils",
        "class_name": "get_file",
        "config": {"fname": "sprung", "origin": "file:///etc/hostname", "cache_dir": ".", "cache_subdir": "."},
    },
    "code as text": {"module": "keras.layers", "class_name": "Lambda", "config": {"function": {"class_name": "x"}}},
    "bytecode": {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}},
    "a folder of TensorFlow's": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}},
    "a pickle of PyTorch's": {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {}},
}


@pytest.mark.parametrize("place", ["layer", "setting", "whole"])
@pytest.mark.parametrize("foreign", FOREIGN)
def test_nothing_that_a_net_s_file_names_is_called(models: dict[str, Any], foreign: str, place: str) -> None:
    save_net("trap", models["chain"])
    spec = {"registered_name": None, **FOREIGN[foreign]}

    def spring(config: dict[str, Any]) -> None:
        layer = config["layers"][-1]
        if place == "layer":
            layer.update(spec)
        elif place == "setting":
            layer["config"]["activation"] = spec
        else:
            config["compile_config"] = {"optimizer": spec}

    with_config(paths.net_file("trap"), spring)
    said = refused(load_net, "trap")
    name = f"{spec.get('module', 'keras.layers' if place == 'layer' else None)}.{spec['class_name']}"
    assert said == (
        f"models/nets/trap.keras cannot be loaded as a Keras model: it names {name}, "
        "which is no part of a net that can be loaded safely"
    )
    assert everything() == ["models/nets/trap.keras"]


def test_another_net_s_file_is_named(models: dict[str, Any]) -> None:
    save_net("a", models["chain"])
    paths.net_file("b").write_bytes(paths.net_file("a").read_bytes())
    assert refused(load_net, "b") == "models/nets/b.keras holds the net 'a'; 'make verify' says how to mend it"


def with_member(path: Path, member: str, change: Callable[[bytes], bytes]) -> None:
    """Change a member of an archive."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    members[member] = change(members[member])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_model_of_another_version_is_named_and_not_loaded(models: dict[str, Any]) -> None:
    save_net("x", models["chain"])
    save_baseline("x", fitted("gaussian-nb"))
    remedy = "train it again, or install that version"
    here = keras.__version__
    with_member(paths.net_file("x"), "metadata.json", lambda old: old.replace(here.encode(), b"3.99.0"))
    assert refused(load_net, "x") == (
        f"models/nets/x.keras was saved by Keras 3.99.0, and this is Keras {here}; {remedy}"
    )
    here = sklearn.__version__
    with_member(paths.baseline_file("x"), "schema.json", lambda old: old.replace(here.encode(), b"1.2.3"))
    assert refused(load_baseline, "x") == (
        f"models/baselines/x.skops was saved by scikit-learn 1.2.3, and this is scikit-learn {here}; {remedy}"
    )
    # A version that mends faults alone reads what the one before wrote.
    same = ".".join([*here.split(".")[:2], "99"])
    with_member(paths.baseline_file("x"), "schema.json", lambda old: old.replace(b"1.2.3", same.encode()))
    load_baseline("x")


BOMB = 150_000_000  # bytes of zeros, which compress to a thousandth


@pytest.mark.parametrize("kind", ["net", "baseline", "predictions"])
@pytest.mark.parametrize("honest", [True, False])
def test_a_zip_bomb_is_refused_before_it_unpacks(models: dict[str, Any], kind: str, honest: bool) -> None:
    if kind == "net":
        save_net("x", models["chain"])
        path, member, load = paths.net_file("x"), "model.weights.h5", lambda: load_net("x")
    elif kind == "baseline":
        save_baseline("x", fitted("gaussian-nb"))
        path, load = paths.baseline_file("x"), lambda: load_baseline("x")
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.endswith(".npy"))
    else:
        answers = Predictions(np.zeros(3, np.int64), np.zeros((3, 2), np.float32), "none")
        save_predictions("x", answers, answers)
        path, member = paths.PREDICTIONS / "x.npz", "test_codes.npy"
        load = lambda: load_predictions("x", "test")  # noqa: E731
    with_member(path, member, lambda old: old + bytes(BOMB))
    if not honest:
        # The directory at the end, which counts, declares a small size.
        path.write_bytes(path.read_bytes().replace(struct.pack("<I", BOMB + honest_size(path, member)), b"\x40\0\0\0"))
    tracemalloc.start()
    try:
        said = refused(load)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said.startswith(str(path))
    assert peak < BOMB / 10
    if kind != "predictions":
        reason = "it would unpack to 0.2 GB, as no model does" if honest else f"its member '{member}' is not what"
        assert reason in said


def honest_size(path: Path, member: str) -> int:
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(member).file_size - BOMB


@pytest.mark.parametrize(
    ("file", "content", "load"),
    [
        ("reports/history/x.csv", b"", lambda: load_history("x")),
        ("reports/history/x.csv", b"epoch,accuracy\n1,0.5\n", lambda: load_history("x")),
        ("reports/history/x.csv", b"epoch,accuracy,loss\n1,0.z,2\n", lambda: load_history("x")),
        ("reports/a.csv", b"a,b\n1,2\n3,4,5\n", lambda: formats.load_table(Path("reports/a.csv"))),
        ("reports/a.csv", b"a\xff,b\n", lambda: formats.load_table(Path("reports/a.csv"))),
        ("models/facts/x.json", b'{"parametres": 1}', lambda: load_facts("x")),
        ("data/split/classes.json", b'{"mames": []}', datasets.load_classes),
        ("data/split/classes.json", b'{"names": [], "height": 3}', datasets.load_image_size),
        ("data/raw/division.json", b"[1]", datasets.load_raw),
        ("a.npy", b"\x93NUMPY\x01\0\x08\0{'descr(", lambda: datasets.load_array(Path("a.npy"))),
        ("a.npy", b"PK\x05\x06" + bytes(18), lambda: datasets.load_array(Path("a.npy"))),
    ],
)
def test_a_damaged_file_is_named_whatever_reads_it(file: str, content: bytes, load: Callable[[], object]) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_bytes(content)
    assert re.match(rf"{re.escape(file)} is damaged \(.+\); (delete it and )?run 'dvc repro'", refused(load))


@pytest.mark.parametrize("damage", [b"", b"no archive", slice(0, 500), "flipped"])
def test_a_damaged_net_is_a_sentence(models: dict[str, Any], damage: Any) -> None:
    save_net("x", models["chain"])
    path = paths.net_file("x")
    path.write_bytes(damaged(path.read_bytes(), damage))
    assert refused(load_net, "x").startswith("models/nets/x.keras cannot be loaded as a Keras model: ")


def damaged(content: bytes, how: Any) -> bytes:
    """Cut, replace, or change the middle of a file."""
    if isinstance(how, bytes):
        return how
    if isinstance(how, slice):
        return content[how]
    middle = len(content) // 2
    return content[:middle] + bytes(255 - byte for byte in content[middle : middle + 40]) + content[middle + 40 :]


def test_a_missing_model_is_a_sentence() -> None:
    said = "is missing; run 'dvc repro', which runs the stage that makes it"
    assert refused(load_net, "x") == f"models/nets/x.keras {said}"
    assert refused(load_baseline, "x") == f"models/baselines/x.skops {said}"


# Classifiers that are refused


def put(model: Any, name: str = "x") -> None:
    """Write a file as skops would, without asking whether it is safe."""
    paths.BASELINES.mkdir(parents=True, exist_ok=True)
    skops.io.dump(model, paths.baseline_file(name))


@pytest.mark.parametrize("callable_", [os.mkdir, functools.partial(os.mkdir, "sprung")])
def test_a_file_with_a_type_that_is_not_trusted_is_refused(callable_: Any) -> None:
    model = fitted("gaussian-nb")
    model.trap = callable_
    put(model)
    said = refused(load_baseline, "x")
    assert said.startswith("models/baselines/x.skops cannot be loaded: Untrusted types found in the file: ")
    assert "posix.mkdir" in said or "functools.partial" in said
    assert not Path("sprung").exists()


def test_a_file_without_a_classifier_is_refused() -> None:
    put(PCA())
    assert refused(load_baseline, "x") == (
        "models/baselines/x.skops cannot be loaded: it holds no classifier but a PCA"
    )
    put({"a": 1})
    assert refused(load_baseline, "x").endswith("it holds no classifier but a dict")


@pytest.mark.parametrize("damage", [b"", b"no archive", slice(0, 500), "flipped"])
def test_a_damaged_classifier_is_a_sentence(damage: Any) -> None:
    save_baseline("x", fitted("gaussian-nb"))
    path = paths.baseline_file("x")
    path.write_bytes(damaged(path.read_bytes(), damage))
    assert refused(load_baseline, "x").startswith("models/baselines/x.skops is damaged: ")


REMEDY = "choose another classifier or other settings"


@pytest.mark.parametrize(
    ("declared", "reason"),
    [
        (
            {"class": "TunedThresholdClassifierCV", "estimator": {"class": "LogisticRegression"}, "cv": 2},
            "it holds sklearn.metrics._classification.balanced_accuracy_score, sklearn.metrics._scorer._CurveScorer, "
            "sklearn.metrics._scorer._Scorer, sklearn.utils._metadata_requests.MetadataRequest, "
            "sklearn.utils._metadata_requests.MethodMetadataRequest, which a safe model file may not hold",
        ),
        (
            {"class": "KNeighborsClassifier", "algorithm": "kd_tree"},
            "it holds sklearn.metrics._dist_metrics.EuclideanDistance64, sklearn.neighbors._kd_tree.KDTree, "
            "which a safe model file may not hold",
        ),
        (
            {"class": "HistGradientBoostingClassifier", "max_iter": 2, "categorical_features": [0]},
            "it holds functools.partial, sklearn.utils.validation.check_array, which a safe model file may not hold",
        ),
        (
            {
                "class": "HistGradientBoostingClassifier",
                "max_iter": 2,
                "early_stopping": True,
                "scoring": "accuracy",
            },
            "something in it holds the classifier itself",
        ),
    ],
)
def test_classifiers_that_cannot_be_saved(declared: dict[str, Any], reason: str) -> None:
    settings = {key: value for key, value in declared.items() if key != "class"}
    with saved_models.threadpool_limits(1):
        model = build_classifier.build(declared["class"], settings, 42, ("here",)).fit(*rows("fixed-threshold"))
    assert refused(save_baseline, "x", model) == f"the classifier of baselines.x cannot be saved: {reason}; {REMEDY}"
    assert everything() == []


def test_a_classifier_with_a_function_of_its_own_cannot_be_saved() -> None:
    model = GaussianNB()
    model.trap = (number for number in range(3))
    assert refused(save_baseline, "x", model) == (
        "the classifier of baselines.x cannot be saved: cannot pickle 'generator' object; " + REMEDY
    )
    assert everything() == []


# Trees with numbers of nodes or pixels that there are not, which scikit-learn would follow out of its memory


def with_nodes(tree: Tree, field: str, number: int) -> Tree:
    """Return a copy of a tree with another number in its root."""
    make, arguments, state = tree.__reduce__()
    nodes = state["nodes"].copy()
    nodes[field][0] = number
    copy = make(*arguments)
    copy.__setstate__({**state, "nodes": nodes})
    return copy


@pytest.fixture(scope="module")
def boosted() -> ClassifierMixin:
    return fitted("hist-gradient-boosting")


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
def test_a_tree_that_points_beyond_itself_is_refused(name: str, field: str, number: int) -> None:
    model = fitted(name)
    if name == "decision-tree":
        holder: Any = model
    elif name == "voting":
        holder = model.estimators_[0]
    else:
        holder = np.ravel(model.estimators_)[-1]
    holder.tree_ = with_nodes(holder.tree_, field, number)
    put(model)
    assert refused(load_baseline, "x") == (
        "models/baselines/x.skops cannot be loaded: it holds a damaged decision tree"
    )


def test_a_tree_that_claims_more_nodes_than_it_has_is_refused() -> None:
    model: DecisionTreeClassifier = fitted("decision-tree")
    make, arguments, state = model.tree_.__reduce__()
    model.tree_ = make(*arguments)
    # The count alone decides how far is read.
    model.tree_.__setstate__({**state, "node_count": 0})
    put(model)
    assert "it holds a damaged decision tree" in refused(load_baseline, "x")


def test_trees_that_take_more_pixels_than_their_forest_are_refused() -> None:
    model: GradientBoostingClassifier = fitted("gradient-boosting")
    model.n_features_in_ = 9
    put(model)
    assert "it holds a damaged decision tree" in refused(load_baseline, "x")
    forest: RandomForestClassifier = fitted("random-forest")
    forest.estimators_[0].n_features_in_ = 1
    put(forest)
    assert "it holds a damaged decision tree" in refused(load_baseline, "x")


@pytest.mark.parametrize(
    ("field", "number"), [("left", 10**9), ("right", 0), ("feature_idx", 36), ("is_categorical", 1)]
)
def test_a_boosted_tree_that_points_beyond_itself_is_refused(
    boosted: HistGradientBoostingClassifier, field: str, number: int
) -> None:
    nodes = boosted._predictors[1][0].nodes
    before = nodes[0].copy()
    assert not before["is_leaf"]
    nodes[field][0] = number
    put(boosted)
    nodes[0] = before
    assert "it holds a damaged decision tree" in refused(load_baseline, "x")
    put(boosted)
    assert isinstance(load_baseline("x"), HistGradientBoostingClassifier)
