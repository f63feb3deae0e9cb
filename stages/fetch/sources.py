"""Recognises the kind of source that fetch.source names, and reads the data set from it."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from stages.fetch import class_folders, csv_tables, file_kinds, idx_files
from stages.fetch.arrays import as_one_size
from stages.fetch.download import deadline, download, split_address
from stages.fetch.npz import read_npz
from stages.fetch.openml import from_openml
from stages.shared.errors import UserError, one_line
from stages.shared.files.datasets import Raw
from stages.shared.params.fetch_section import Fetch

# By the end of the name, in lower case.
FILES: dict[str, Callable[[BinaryIO, str], Raw]] = {
    ".npz": read_npz,
    ".csv": csv_tables.read_one,
    ".csv.gz": csv_tables.read_one,
}
KINDS = (
    "a folder with one folder of pictures per class, an .npz or .csv file, a folder with the four IDX files of MNIST, "
    "an http(s) address of such files, or openml"
)


def fetch(settings: Fetch) -> tuple[Raw, str]:
    """Read the data set.

    Parameters
    ----------
    settings : Fetch
        Section `fetch` of params.yaml.

    Returns
    -------
    raw : Raw
        Square grey images of one size, and their labels, the data set's own training rows first.
    shown : str
        Its name in messages.

    Raises
    ------
    UserError
        The data set cannot be read, or is not valid.
    """
    shown = settings.source
    try:
        if settings.source == "openml" and settings.openml is not None:
            raw, shown = from_openml(settings.openml)
        elif "://" in settings.source:
            raw = _from_address(settings.source)
        else:
            raw = _from_path(settings)
        return raw._replace(images=as_one_size(raw.images, settings, shown)), shown
    except MemoryError as error:
        raise UserError(f"{shown}: out of memory: the images do not fit; a smaller fetch.size takes less") from error


def _from_address(address: str) -> Raw:
    parts = split_address(address, "fetch.source")
    with deadline(address):
        if (read := _reader(parts.path)) is None:
            return idx_files.from_address(address)
        with tempfile.TemporaryFile() as file:  # has no name, so nothing is left when the process is killed
            if not download(address, file, "fetch.source").ok:
                raise UserError(f"{address}, given in fetch.source, does not exist (404 Not Found)")
            file.seek(0)
            return read(file, address)


def _from_path(settings: Fetch) -> Raw:
    source = settings.source
    try:
        path = Path(source).expanduser()
        if path.is_dir():
            return _from_folder(path, settings)
        if not path.is_file():
            raise UserError(f"fetch.source '{source}' does not exist; it must be {KINDS}")
        with path.open("rb") as file:
            if (read := _reader(path.name)) is not None:
                return read(file, source)
            start = file.read(file_kinds.NEEDED)
        raise UserError(f"fetch.source '{source}' is not a folder, but {file_kinds.describe(start)}")
    except (OSError, RuntimeError) as error:  # no permission, too long a name; an unknown user after ~
        raise UserError(f"fetch.source '{source}' cannot be read: {one_line(error)}") from error


def _from_folder(path: Path, settings: Fetch) -> Raw:
    names = sorted(each.name for each in path.iterdir() if each.is_file())
    if idx_files.in_folder(path) or any("ubyte" in name for name in names):
        return idx_files.from_folder(path)
    if class_folders.in_folder(path):
        return class_folders.from_folder(path, settings)
    if tables := csv_tables.in_folder(path):
        return csv_tables.from_folder(path, tables)
    if archives := [name for name in names if _reader(name)]:
        raise UserError(f"fetch.source '{settings.source}' is a folder with {archives[0]}; name the file itself")
    if class_folders.subfolders(path):
        return class_folders.from_folder(path, settings)
    raise UserError(f"fetch.source '{settings.source}' is a folder without class folders; it must be {KINDS}")


def _reader(name: str) -> Callable[[BinaryIO, str], Raw] | None:
    """Return the function that reads a file with this name."""
    return next((read for suffix, read in FILES.items() if name.lower().endswith(suffix)), None)
