"""The data set as NumPy files: raw as fetched, and split into train, validation and test."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError
from stages.shared.files.paths import RAW, SPLIT
from stages.shared.files.whole_files import DAMAGE, locked, replacing, require_file

SetName = Literal["train", "validation", "test"]
SETS: tuple[SetName, ...] = ("train", "validation", "test")


class Raw(NamedTuple):
    """A data set as its source gives it.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, height, width)
        Grey values, 0-255; the data set's own train rows first, then its test rows.
    labels : ndarray, shape (n,)
        uint8 where all labels are integers in 0-255, int64 for other integers, else fixed-width strings.
    train_rows : int or None
        How many of the first rows are the data set's own training part; None if it has no such division.
    """

    images: NDArray[np.uint8]
    labels: NDArray[Any]
    train_rows: int | None


def save_raw(raw: Raw) -> None:
    """Write a fetched data set to data/raw: all three files or none, even if two processes do so at once."""
    division = {"rows": len(raw.labels), "train_rows": raw.train_rows}
    with (
        locked(RAW),
        # Renamed only once all are written.
        replacing(RAW / "images.npy") as images,
        replacing(RAW / "labels.npy") as labels,
        replacing(RAW / "division.json") as told,
    ):
        _write_array(images, raw.images)
        _write_array(labels, raw.labels)
        told.write_text(_as_json(division), encoding="utf-8")


def load_raw() -> Raw:
    """Read the fetched data set from data/raw; the images are mapped, not read into memory.

    Raises
    ------
    UserError
        A file is missing or damaged.
    """
    division = _load_json(RAW / "division.json", "train_rows")
    return Raw(load_raw_images(), load_array(RAW / "labels.npy"), division["train_rows"])


def load_raw_images() -> NDArray[np.uint8]:
    """Map the fetched images: uint8, (n, height, width), 0-255."""
    return load_array(RAW / "images.npy", mapped=True)


def save_set(name: SetName, images: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Write one set of the split.

    Parameters
    ----------
    name : {"train", "validation", "test"}
        Which set.
    images : ndarray of float32, shape (n, height, width)
        Grey values, 0-1.
    labels : ndarray of int64, shape (n,)
        Class codes, 0 to the number of classes less one.
    """
    save_array(SPLIT / name / "images.npy", images)
    save_array(SPLIT / name / "labels.npy", labels)


def load_images(name: SetName) -> NDArray[np.float32]:
    """Read the images of a set: float32, (n, height, width), 0-1."""
    return load_array(SPLIT / name / "images.npy")


def load_rows(name: SetName) -> NDArray[np.float32]:
    """Read the images of a set as rows of pixels: float32, (n, height * width), 0-1."""
    images = load_images(name)
    return images.reshape(len(images), math.prod(images.shape[1:]))  # -1 is ambiguous for no images


def load_labels(name: SetName) -> NDArray[np.int64]:
    """Read the class codes of a set: int64, (n,)."""
    return load_array(SPLIT / name / "labels.npy")


def save_classes(names: list[str], height: int, width: int) -> None:
    """Write the class names, in the order of their codes, and the size of the images in pixels."""
    _save_json(SPLIT / "classes.json", {"names": names, "height": height, "width": width})


def load_classes() -> list[str]:
    """Read the class names, in the order of their codes."""
    return [str(name) for name in _load_json(SPLIT / "classes.json", "names")["names"]]


def load_image_size() -> tuple[int, int]:
    """Read height and width of the images, in pixels."""
    facts = _load_json(SPLIT / "classes.json", "height", "width")
    return int(facts["height"]), int(facts["width"])


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy, whole or not at all."""
    with replacing(path) as temporary:
        _write_array(temporary, array)


def _write_array(path: Path, array: NDArray[Any]) -> None:
    with path.open("wb") as file:
        # To a file itself NumPy writes past Python, and does not see that its last 4 kB found no room.
        np.save(SimpleNamespace(write=file.write), array, allow_pickle=False)


def load_array(path: Path, mapped: bool = False) -> NDArray[Any]:
    """Read a .npy file, never one that holds pickled objects.

    Parameters
    ----------
    path : Path
        The file.
    mapped : bool
        Map the file into memory, read-only, instead of reading it.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    require_file(path)
    try:
        # An archive of arrays is what np.load would take, too.
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except DAMAGE as error:
        raise _damaged(path, error) from error
    return array


def _save_json(path: Path, content: dict[str, Any]) -> None:
    with replacing(path) as temporary:
        temporary.write_text(_as_json(content), encoding="utf-8")


def _as_json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _load_json(path: Path, *keys: str) -> dict[str, Any]:
    require_file(path)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for key in keys:
            content[key]
    except DAMAGE as error:
        raise _damaged(path, error) from error
    return content


def _damaged(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{path} is damaged ({reason}); delete it and run 'dvc repro', which makes or checks it out again")
