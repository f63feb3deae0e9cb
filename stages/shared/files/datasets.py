"""The data set as NumPy files: raw as fetched, and split into train, validation and test."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.files.paths import (
    CLASSES,
    PREPARATION,
    RAW,
    RAW_DIVISION,
    RAW_IMAGES,
    RAW_LABELS,
    RAW_PREPARATION,
    SPLIT,
)
from stages.shared.files.text_files import load_json, save_json
from stages.shared.files.whole_files import locked, reading, replacing

SetName = Literal["train", "validation", "test"]
SETS: tuple[SetName, ...] = ("train", "validation", "test")


class Preparation(NamedTuple):
    """How a picture becomes an image like those of a data set, for prediction.

    Attributes
    ----------
    name : {"mnist", "as-is"}
        `fetch.preparation` of params.yaml.
    inverted, square, transparent : bool, str, str
        The settings of these names in section `fetch`, with which the source became the data set.
    edges : float
        Median grey value of the pixels at the edges of the images, 0 black to 1 white.
    """

    name: Literal["mnist", "as-is"] = "mnist"
    inverted: bool = False
    square: Literal["pad", "crop", "stretch"] = "pad"
    transparent: Literal["white", "black"] = "white"
    edges: float = 0.0


class Raw(NamedTuple):
    """A data set as fetched from its source.

    Attributes
    ----------
    images : ndarray, shape (n, height, width)
        Grey values, the official training rows first, then the official test rows: in data/raw uint8, 0-255; a source
        may have other numbers.
    labels : ndarray, shape (n,)
        uint8 if all labels are integers in 0-255, int64 for other integers, else fixed-width strings.
    train_rows : int or None
        Number of official training rows; None if the data set has no official division.
    preparation : Preparation
        How a picture becomes an image like these.
    """

    images: NDArray[Any]
    labels: NDArray[Any]
    train_rows: int | None
    preparation: Preparation = Preparation()


def save_raw(raw: Raw) -> None:
    """Write a fetched data set to data/raw: all four files or none, even if several processes do so at once."""
    division = {"rows": len(raw.labels), "train_rows": raw.train_rows}
    # The files are renamed only when all of them are written.
    with locked(RAW), replacing(RAW_IMAGES) as images, replacing(RAW_LABELS) as labels:
        _write_array(images, raw.images)
        _write_array(labels, raw.labels)
        save_preparation(raw.preparation, RAW_PREPARATION)
        save_json(RAW_DIVISION, division)


def load_raw() -> Raw:
    """Read the fetched data set from data/raw; the images are memory-mapped.

    Raises
    ------
    UserError
        A file is missing or damaged.
    """
    division = load_json(RAW_DIVISION, "train_rows")
    return Raw(load_raw_images(), load_array(RAW_LABELS), division["train_rows"], load_preparation(RAW_PREPARATION))


def load_raw_images() -> NDArray[np.uint8]:
    """Memory-map the fetched images: uint8, (n, height, width), 0-255."""
    return load_array(RAW_IMAGES, mapped=True)


def save_set(name: SetName, images: NDArray[np.float32], labels: NDArray[np.int64]) -> None:
    """Write one set of the split.

    Parameters
    ----------
    name : {"train", "validation", "test"}
        The set.
    images : ndarray of float32, shape (n, height, width)
        Grey values, 0-1.
    labels : ndarray of int64, shape (n,)
        Class codes, from 0 to the number of classes minus one.
    """
    save_array(SPLIT.path(f"{name}/images"), images)
    save_array(SPLIT.path(f"{name}/labels"), labels)


def load_images(name: SetName) -> NDArray[np.float32]:
    """Read the images of a set: float32, (n, height, width), 0-1."""
    return load_array(SPLIT.path(f"{name}/images"))


def load_rows(name: SetName) -> NDArray[np.float32]:
    """Read the images of a set as rows of pixels: float32, (n, height * width), 0-1."""
    images = load_images(name)
    return images.reshape(len(images), math.prod(images.shape[1:]))  # -1 is ambiguous if there are no images


def load_labels(name: SetName) -> NDArray[np.int64]:
    """Read the class codes of a set: int64, (n,)."""
    return load_array(SPLIT.path(f"{name}/labels"))


def save_classes(names: list[str], height: int, width: int) -> None:
    """Write the class names in the order of their codes, and the size of the images in pixels."""
    save_json(CLASSES, {"names": names, "height": height, "width": width})


def load_classes() -> list[str]:
    """Read the class names in the order of their codes."""
    return [str(name) for name in load_json(CLASSES, "names")["names"]]


def load_image_size() -> tuple[int, int]:
    """Read the height and width of the images in pixels."""
    content = load_json(CLASSES, "height", "width")
    return int(content["height"]), int(content["width"])


def save_preparation(preparation: Preparation, path: Path = PREPARATION) -> None:
    """Write how a picture becomes an image like those of the data set."""
    save_json(path, preparation._asdict())


def load_preparation(path: Path = PREPARATION) -> Preparation:
    """Read how a picture becomes an image like those of the data set.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    content = load_json(path, *Preparation._fields)
    return Preparation(**{field: content[field] for field in Preparation._fields})


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array as .npy."""
    with replacing(path) as temporary:
        _write_array(temporary, array)


def _write_array(path: Path, array: NDArray[Any]) -> None:
    with path.open("wb") as file:
        # Given a real file, NumPy bypasses Python's buffer and misses an error in writing the last 4 kB to a full disk.
        np.save(SimpleNamespace(write=file.write), array, allow_pickle=False)


def load_array(path: Path, mapped: bool = False) -> NDArray[Any]:
    """Read a .npy file, never one with pickled objects.

    Parameters
    ----------
    path : Path
        The file.
    mapped : bool
        Whether to memory-map the file, read-only, instead of reading it.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    with reading(path):
        with path.open("rb") as file:
            np.lib.format.read_magic(file)  # np.load would also take an archive of arrays
        array: NDArray[Any] = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        return array
