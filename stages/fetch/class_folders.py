"""Reads a folder of pictures with one folder per class, divided into train and test or not."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.fetch.arrays import as_labels, resize
from stages.shared.errors import UserError
from stages.shared.files.datasets import Raw
from stages.shared.files.picture_files import Ground, as_grey, decode, find_pictures
from stages.shared.params.fetch_section import Fetch
from stages.shared.process.console import progress, say

# Names of the folders of a division, in lower case.
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
CLUTTER = ("thumbs.db", "desktop.ini")  # of Windows; files of macOS are hidden
COLOUR = 16  # largest difference of red, green and blue, 0-255, in a grey picture that was stored as JPEG


class Listed(NamedTuple):
    """A picture and the name of its class."""

    path: Path
    label: str


def in_folder(folder: Path) -> bool:
    """Return whether a folder has class folders, that is, folders with pictures at the first or second level."""
    extensions = Image.registered_extensions()
    files = (path for pattern in ("*/*", "*/*/*") for path in folder.glob(pattern))
    return any(path.suffix.lower() in extensions and path.is_file() for path in files)


def subfolders(folder: Path) -> list[Path]:
    """List the folders in a folder, sorted by name, without hidden ones and those that macOS adds to archives."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and path.name[0] != "." and path.name != "__MACOSX"
    )


def from_folder(folder: Path, settings: Fetch) -> Raw:
    """Read the pictures of all class folders as grey images of one size.

    Parameters
    ----------
    folder : Path
        Has one folder per class, or train and test, and perhaps validation, with one folder per class each.
    settings : Fetch
        Section `fetch` of params.yaml.

    Returns
    -------
    Raw
        uint8 images, 0-255, or float32 if there are pictures of more than 8 bits; labels are the names of the class
        folders. Training pictures come first, those of a validation folder last among them.

    Raises
    ------
    UserError
        The folders are not as above, a picture cannot be read, or the sizes differ and `fetch.size` is not set.
    """
    parts = _parts(folder)
    if parts is None:
        pictures, train_rows = list(_list(folder)), None
    else:
        training = [picture for part in parts["train"] + parts["validation"] for picture in _list(part)]
        pictures, train_rows = training + [picture for part in parts["test"] for picture in _list(part)], len(training)
        if parts["validation"]:
            say("fetch: the validation folder counts as training rows, of which split.validation takes a share")
    images = _read(pictures, settings)
    return Raw(images, as_labels(np.array([picture.label for picture in pictures])), train_rows)


def _parts(folder: Path) -> dict[str, list[Path]] | None:
    """Return the folders of each part; None if the folder has class folders."""
    parts: dict[str, list[Path]] = {"train": [], "validation": [], "test": []}
    others: list[Path] = []
    for path in subfolders(folder):
        parts.get(PARTS.get(path.name.lower(), ""), others).append(path)
    if others and not (parts["train"] and parts["test"]):
        return None  # a class may be called "train"
    if others:
        raise UserError(
            f"{folder} has folders for training and test, and also {others[0].name}; move it out of {folder}"
        )
    if not parts["train"] or not parts["test"]:
        [found, *_] = parts["train"] + parts["validation"] + parts["test"]
        raise UserError(
            f"{folder} has a folder '{found.name}', but not both 'train' and 'test'; rename the folders, or set "
            f"fetch.source to {found} if this is the whole data set"
        )
    return parts


def _list(folder: Path) -> Iterator[Listed]:
    """List the pictures of all class folders, in the order of the names."""
    classes = subfolders(folder)
    if not classes:
        raise UserError(f"{folder} has no class folders; the pictures of each class must be in a folder of their own")
    for path in classes:
        name = unicodedata.normalize("NFC", path.name)  # macOS may decompose accented letters
        if not name.isprintable():
            raise UserError(f"{str(path)!r}: the name of a class folder must consist of printable characters")
        if nested := subfolders(path):
            raise UserError(
                f"{path} has a folder '{nested[0].name}', but class folders must contain only pictures; set "
                "fetch.source to the folder that has the class folders, or move the pictures up"
            )
        found = find_pictures([str(path)])
        if not found.files:
            raise UserError(f"{path} has no pictures; every class folder must have some: add pictures, or delete it")
        if skipped := [each for each in found.skipped if each.name.lower() not in CLUTTER]:
            say(f"fetch: skipped {len(skipped):,} files of {path} that are not pictures, such as {skipped[0].name}")
        yield from (Listed(file, name) for file in found.files)


def _read(pictures: list[Listed], settings: Fetch) -> NDArray[Any]:
    images: list[NDArray[Any]] = []
    coloured, of_frames, blank = 0, 0, 0
    with progress("reading pictures", len(pictures), "pictures") as advance:
        for path, _ in pictures:
            (values, has_colour), frames = decode(path, lambda image: as_values(image, settings.transparent))
            coloured += has_colour
            of_frames += frames > 1
            blank += bool(values.min() == values.max())
            if settings.size is None:
                _check_size(values, path, images, pictures)
            images.append(resize(values, settings))
            advance(1)
    if coloured:
        say(f"fetch: {coloured:,} of {len(images):,} pictures have colours, which are turned to grey")
    if of_frames:
        say(f"fetch: {of_frames:,} pictures have several frames, of which only the first is read")
    if blank:
        other = "black" if settings.transparent == "white" else "white"
        say(
            f"fetch: {blank:,} pictures have the same grey value everywhere; if their ink is on a transparent ground, "
            f"set fetch.transparent: {other}"
        )
    return np.stack(images)


def _check_size(values: NDArray[Any], path: Path, images: list[NDArray[Any]], pictures: list[Listed]) -> None:
    height, width = values.shape
    remedy = (
        "set fetch.size to a height and width in pixels; fetch.square (pad, crop or stretch) says how pictures become "
        "square"
    )
    if images and images[0].shape != values.shape:
        other_height, other_width = images[0].shape
        raise UserError(
            f"{pictures[0].path} has {other_height} x {other_width} pixels and {path} {height} x {width}, but all must "
            f"have the same size; {remedy}"
        )
    if height != width:
        raise UserError(f"{path} has {height} x {width} pixels and must be square; {remedy}")


def as_values(image: Image.Image, ground: Ground) -> tuple[NDArray[Any], bool]:
    """Convert a picture of any mode to grey values.

    Parameters
    ----------
    image : Image
        A picture.
    ground : {"white", "black"}
        What transparent parts become.

    Returns
    -------
    values : ndarray, shape (height, width)
        uint8, 0-255; float32, 0-255, if the picture has 16 bits; the picture's own values if they are floats.
    has_colour : bool
        Whether it has colours.
    """
    if image.mode == "F":
        return np.asarray(image), False  # fetch.max_value says what white is
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.float32) / 257, False  # of 16 bits
    grey = np.rint(as_grey(image, ground) * 255).astype(np.uint8)
    if image.mode in ("1", "L", "LA", "La"):
        return grey, False
    channels = np.asarray(image.convert("RGB")).astype(np.int16)
    return grey, bool((channels.max(axis=2) - channels.min(axis=2)).max() > COLOUR)
