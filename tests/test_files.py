"""Files other than models: whole or absent, read back as written, and damage named."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.shared.errors import UserError
from stages.shared.files import datasets, paths
from stages.shared.files.predictions import (
    Predictions,
    ScoreKind,
    load_facts,
    load_predictions,
    save_facts,
    save_predictions,
)
from stages.shared.files.tables import load_confusion, load_history, load_table, save_history, save_table
from stages.shared.files.text_files import load_json, save_json, save_text
from stages.shared.files.weights import Weights, load_weights, save_weights
from stages.shared.files.whole_files import reading, replacing, require_file
from tests.fixtures.synthetic import digits, pixels


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def all_files(folder: Path = Path()) -> list[str]:
    """List all files below a folder, including hidden ones."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# Whole or absent


def test_a_file_gets_its_name_when_it_is_whole() -> None:
    path = Path("a/b/report.txt")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent.absolute(), path.suffix)
    assert path.read_text() == "new"
    assert all_files() == ["a/b/report.txt"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_umask_decides_who_can_read_and_write_a_file(mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        save_text(Path("a/report.txt"), "new")
        datasets.save_raw(datasets.Raw(*digits(12, size=5, classes=3), 9))
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in Path().rglob("*") if path.is_file()}
    folders = {path.stat().st_mode & 0o777 for path in Path().rglob("*") if path.is_dir()}
    assert (modes, folders) == ({mode}, {0o777 & ~mask})


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("before", ["old", None])
def test_an_error_keeps_the_old_file_and_removes_the_temporary_one(error: BaseException, before: str | None) -> None:
    path = Path("report.txt")
    if before is not None:
        path.write_text(before)
    with (
        pytest.raises(UserError if isinstance(error, OSError) else type(error)) as caught,
        replacing(path) as temporary,
    ):
        temporary.write_text("half")
        raise error
    if isinstance(error, OSError):
        assert "report.txt: No space left on device" in str(caught.value)
    assert {name: Path(name).read_text() for name in all_files()} == ({} if before is None else {"report.txt": before})


def test_a_temporary_file_that_is_being_written_stays() -> None:
    with replacing(Path("reports/b.txt")) as temporary:
        temporary.write_text("one")
        save_text(Path("reports/c.txt"), "two")
        assert temporary.exists()
    assert all_files() == ["reports/b.txt", "reports/c.txt"]


@pytest.mark.parametrize(("path", "reason"), [("a/x.txt", "File exists"), ("a/b/x.txt", "Not a directory")])
def test_a_folder_that_cannot_be_created(path: str, reason: str) -> None:
    Path("a").write_text("a file in place of the folder")
    with pytest.raises(UserError, match=f"{path}: {reason}"):
        save_text(Path(path), "x")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can write everywhere")
def test_a_folder_that_is_not_writable() -> None:
    Path("locked").mkdir(mode=0o555)
    with pytest.raises(UserError, match=r"locked/a\.txt: Permission denied"):
        save_text(Path("locked/a.txt"), "x")


@pytest.mark.parametrize("call", [lambda: require_file(paths.RAW_IMAGES), datasets.load_raw_images])
def test_a_missing_file_is_named_with_the_remedy(call: Callable[[], object]) -> None:
    with pytest.raises(UserError, match=r"data/raw/images\.npy is missing.*'dvc repro'"):
        call()


# Read back as written


def test_the_raw_data_set() -> None:
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
def test_a_set_of_the_split(n: int) -> None:
    images, labels = digits(n, size=5, classes=3)
    datasets.save_set("validation", pixels(images), labels)
    assert all_files(Path("data/split")) == ["validation/images.npy", "validation/labels.npy"]
    loaded = datasets.load_images("validation")
    assert (loaded.dtype, loaded.shape) == (np.float32, (n, 5, 5))
    np.testing.assert_array_equal(loaded, pixels(images))
    np.testing.assert_array_equal(datasets.load_rows("validation"), pixels(images).reshape(n, 25))
    assert datasets.load_labels("validation").dtype == np.int64
    np.testing.assert_array_equal(datasets.load_labels("validation"), labels)


NAMES = ["NA", "01", "true", "1e5", "null", "é ü", "with, comma", 'with "quotes"', ""]


def test_class_names_stay_strings() -> None:
    datasets.save_classes(NAMES, 28, 20)
    assert datasets.load_classes() == NAMES
    assert datasets.load_image_size() == (28, 20)
    save_table(Path("a.csv"), pd.DataFrame({"class": NAMES, "recall": np.arange(len(NAMES)) / 7}))
    table = load_table(Path("a.csv"))
    assert table["class"].tolist() == NAMES
    assert table["recall"].tolist()[:3] == ["0.0", "0.142857", "0.285714"]


def predictions_of(n: int, kind: ScoreKind = "probability") -> Predictions:
    rng = np.random.default_rng(n)
    columns = 0 if kind == "none" else 3
    return Predictions(rng.integers(0, 3, n), rng.random((n, columns)).astype(np.float32), kind)


@pytest.mark.parametrize("kind", ["probability", "decision", "none"])
def test_predictions(kind: ScoreKind) -> None:
    validation, test = predictions_of(0, kind), predictions_of(7, kind)
    save_predictions("x", validation, test)
    for loaded, saved in ((load_predictions("x", "validation"), validation), (load_predictions("x", "test"), test)):
        assert (loaded.kind, loaded.codes.dtype, loaded.scores.dtype) == (kind, np.int64, np.float32)
        np.testing.assert_array_equal(loaded.codes, saved.codes)
        np.testing.assert_array_equal(loaded.scores, saved.scores)
    save_predictions("y", validation, test)
    first, second = (paths.PREDICTIONS.path(name).read_bytes() for name in "xy")
    assert first == second, "the same bytes every time"


def test_facts_are_exact_and_sorted() -> None:
    facts = {"train_accuracy": 1 / 3, "parameters": None, "train_rows_judged": 10}
    save_facts("x", facts)
    assert load_facts("x") == facts
    assert list(load_facts("x")) == sorted(facts)


def test_a_history_is_rounded() -> None:
    history = pd.DataFrame({"epoch": [1, 2], "accuracy": [0.12345678, 1.0], "loss": [2.0, 1e-9]})
    save_history("x", history)
    assert paths.HISTORY.path("x").read_bytes() == b"epoch,accuracy,loss\n1,0.123457,2.0\n2,1.0,0.0\n"
    assert load_history("x").to_dict("list") == {"epoch": [1, 2], "accuracy": [0.123457, 1.0], "loss": [2.0, 0.0]}


def test_json_is_rounded_at_any_depth_and_keeps_its_order() -> None:
    path = Path("a.json")
    save_json(path, {"b": 1 / 3, "a": [np.float64(2 / 3), {"c": (0.1 + 0.2, 5, None, True, "é")}]})
    assert load_json(path) == {"b": 0.333333, "a": [0.666667, {"c": [0.3, 5, None, True, "é"]}]}
    assert list(load_json(path)) == ["b", "a"]
    assert path.read_text(encoding="utf-8").endswith("}\n") and "é" in path.read_text(encoding="utf-8")


def test_values_that_other_programs_cannot_read_are_not_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_json(Path("a.json"), {"a": float("nan")})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        datasets.save_array(Path("a.npy"), np.array([{}], dtype=object))
    assert all_files() == []


# Damaged


class Trap:
    """Creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("sprung"),)


def test_pickled_arrays_are_not_loaded() -> None:
    pickle.loads(pickle.dumps(Trap()))
    assert Path("sprung").exists(), "the trap works"
    Path("sprung").unlink()

    np.save("a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match=r"a\.npy .*Object arrays cannot be loaded when allow_pickle=False"):
        datasets.load_array(Path("a.npy"))
    np.savez("x.npz", validation_codes=np.array([Trap()], dtype=object))
    paths.PREDICTIONS.folder.mkdir(parents=True)
    shutil.move("x.npz", paths.PREDICTIONS.path("x"))
    with pytest.raises(UserError, match=r"x\.npz .*Object arrays cannot be loaded"):
        load_predictions("x", "validation")
    assert not Path("sprung").exists()


def _array() -> object:
    return datasets.load_array(Path("a.npy"))


def _mapped_array() -> object:
    return datasets.load_array(Path("a.npy"), mapped=True)


def _predictions() -> object:
    return load_predictions("x", "test")


def _weights() -> object:
    return load_weights("x")


@pytest.mark.parametrize("load", [_array, _mapped_array, _predictions, _weights])
@pytest.mark.parametrize("damage", ["empty", "cut", "text", "pickled"])
def test_a_damaged_binary_file(damage: str, load: Callable[[], object]) -> None:
    datasets.save_array(Path("a.npy"), np.arange(100))
    save_predictions("x", predictions_of(3), predictions_of(7))
    save_weights("x", {"hidden": Weights(np.zeros((2, 3, 4), np.float32), None, True)})
    path = {_predictions: paths.PREDICTIONS.path("x"), _weights: paths.WEIGHTS.path("x")}.get(load, Path("a.npy"))
    load()
    changed = {"empty": b"", "cut": path.read_bytes()[:300], "text": b"text", "pickled": pickle.dumps(np.arange(3))}
    path.write_bytes(changed[damage])
    with pytest.raises(UserError, match=rf"{path} cannot be read: .+'dvc repro'"):
        load()


@pytest.mark.parametrize(
    ("file", "content", "load"),
    [
        ("models/facts/x.csv", b"", lambda: load_history("x")),
        ("models/facts/x.csv", b"epoch,accuracy\n1,0.5\n", lambda: load_history("x")),
        ("models/facts/x.csv", b"epoch,accuracy,loss\n1,0.z,2\n", lambda: load_history("x")),
        ("reports/a.csv", b"a,b\n1,2\n3,4,5\n", lambda: load_table(Path("reports/a.csv"))),
        ("reports/a.csv", b"a\xff,b\n", lambda: load_table(Path("reports/a.csv"))),
        ("reports/a.json", b"[1,", lambda: load_json(Path("reports/a.json"))),
        ("models/facts/x.json", b"{", lambda: load_facts("x")),
        ("models/facts/x.json", b'{"parametres": 1}', lambda: load_facts("x")),
        ("data/split/classes.json", b'{"mames": []}', datasets.load_classes),
        ("data/split/classes.json", b'{"names": [], "height": 3}', datasets.load_image_size),
        ("data/split/preparation.json", b'{"name": "as-is"}', datasets.load_preparation),
        ("data/raw/division.json", b"[1]", datasets.load_raw),
        ("a.npy", b"\x93NUMPY\x01\0\x08\0{'descr(", _array),
        ("a.npy", b"PK\x05\x06" + bytes(18), _array),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(file: str, content: bytes, load: Callable[[], object]) -> None:
    save_text(Path(file), "")
    Path(file).write_bytes(content)
    with pytest.raises(UserError, match=rf"^{file} cannot be read: .+'dvc repro'") as caught:
        load()
    assert "\n" not in str(caught.value)


def test_an_error_without_text_is_named_by_its_type() -> None:
    save_text(Path("a.txt"), "")
    with pytest.raises(UserError, match="EOFError"), reading(Path("a.txt")):
        raise EOFError


def test_weights_are_read_as_they_were_written() -> None:
    maps = np.arange(24, dtype=np.float32).reshape((2, 3, 4))
    save_weights("x", {"b": Weights(maps, None, False), "a.b": Weights(None, maps[0], True)})
    b, a = load_weights("x").items()
    assert (b[0], a[0]) == ("b", "a.b"), "in the order of the layers"
    assert b[1].matrix is None and not b[1].per_class and a[1].maps is None and a[1].per_class
    assert b[1].maps is not None and b[1].maps.dtype == np.float32
    np.testing.assert_array_equal(b[1].maps, maps)
    np.testing.assert_array_equal(a[1].matrix, maps[0])
    save_weights("y", {})
    assert load_weights("y") == {}


def test_confusion_counts_classes_that_occur_in_no_row() -> None:
    save_table(paths.CONFUSION.path("x"), pd.DataFrame({"actual": ["NA", "01", "NA"], "predicted": ["01", "01", "NA"]}))
    assert load_confusion("x", ["01", "NA", "2"]).tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
