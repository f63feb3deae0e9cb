"""Reads CSV files with one row per image, a column for the label and one column per pixel, as Kaggle's MNIST."""

import csv
import gzip
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from stages.fetch.arrays import as_grey_images, as_labels
from stages.fetch.checks import Part, join
from stages.fetch.idx_files import GZIP_MAGIC
from stages.shared.errors import UserError, one_line
from stages.shared.files.datasets import Raw
from stages.shared.process.console import say

if TYPE_CHECKING:
    from pandas import DataFrame

SUFFIXES = (".csv", ".csv.gz")
LABEL_NAMES = ("label", "labels", "class", "target")


def in_folder(folder: Path) -> list[Path]:
    """List the CSV files of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.name.lower().endswith(SUFFIXES) and path.name[0] != ".")


def from_folder(folder: Path, tables: list[Path]) -> Raw:
    """Read the only CSV file of a folder, or the one with "train" and the one with "test" in its name.

    Raises
    ------
    UserError
        There are other files, or a file is not valid.
    """
    train, test = ([path for path in tables if part in path.name.lower()] for part in ("train", "test"))
    if len(tables) == 1:
        return _read_path(tables[0])
    if len(train) != 1 or len(test) != 1 or train == test:
        raise UserError(
            f"{folder} has {', '.join(path.name for path in tables)}; fetch.source must be one of them, or a folder "
            "with one file whose name contains 'train' and one whose name contains 'test'"
        )
    first, second = (_read_path(path) for path in (*train, *test))
    images, labels = join(Part(*first[:2]), Part(*second[:2]), str(folder))
    return Raw(images, as_labels(labels), train_rows=len(first.labels))


def read_one(file: BinaryIO, shown: str) -> Raw:
    """Read a data set, without division into a training and a test part, from a CSV file, gzipped or not.

    Parameters
    ----------
    file : binary file
        A table with one row per image. With a header, the label is the column with one of `LABEL_NAMES`; without one,
        the first.
    shown : str
        Its name in errors.

    Raises
    ------
    UserError
        The file is damaged, has no column of labels or not a square number of others, or a cell is not a number.
    """
    compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    try:
        if not compressed:
            return _read(file, shown)
        with gzip.GzipFile(fileobj=file) as decompressed:
            return _read(cast(BinaryIO, decompressed), shown)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserError(f"{shown} is damaged: bad gzip data ({error}); fetch the file again") from error


def _read_path(path: Path) -> Raw:
    with path.open("rb") as file:
        return read_one(file, str(path))


def _read(file: BinaryIO, shown: str) -> Raw:
    import pandas as pd  # takes longer to import than the other sources take to read

    try:
        first = file.readline().decode("utf-8-sig")
        file.seek(0)
        separator = max(",;\t", key=first.count)
        header = not all(map(_is_number, next(csv.reader([first], delimiter=separator), [""])))
        table = pd.read_csv(
            file,
            sep=separator,
            header=0 if header else None,
            encoding="utf-8-sig",
            keep_default_na=False,  # a class may be called "NA"
            na_values=[""],
            skipinitialspace=True,
            low_memory=False,
        )
    except (ValueError, csv.Error) as error:  # pandas' ParserError and EmptyDataError, UnicodeDecodeError
        raise UserError(f"{shown} is not a valid CSV file: {one_line(error)}") from error
    if table.empty:
        raise UserError(f"{shown} has no rows; it must have one per image")
    label = _label_column(table, header, shown)
    pixels = table.drop(columns=label)
    _check_cells(table, label, pixels, shown)
    images = as_grey_images(
        pixels.to_numpy(), f"{shown}: the pixel columns {pixels.columns[0]} to {pixels.columns[-1]}"
    )
    return Raw(images, as_labels(table[label].to_numpy()), None)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _label_column(table: "DataFrame", header: bool, shown: str) -> str | int:
    if len(table.columns) < 2:
        raise UserError(
            f"{shown} has one column; it must have one for the label and one per pixel, separated by commas"
        )
    if not header:
        say(f"fetch: {shown} has no header, so the first column is read as the label")
        return 0
    found = [name for name in table.columns if str(name).strip().lower() in LABEL_NAMES]
    if len(found) != 1:
        raise UserError(
            f"{shown} has {len(found)} columns named {' or '.join(LABEL_NAMES)}; there must be one, with the labels "
            f"(the first columns are {', '.join(map(str, table.columns[:3]))}); if the file has no labels, set "
            "fetch.source to the file that has them"
        )
    return str(found[0])


def _check_cells(table: "DataFrame", label: str | int, pixels: "DataFrame", shown: str) -> None:
    """Refuse blank cells, and pixels that are not numbers."""
    import pandas as pd

    numbers = pixels.apply(pd.to_numeric, errors="coerce")
    for columns in (table[[label]], numbers):
        if (missing := columns.isna().to_numpy()).any():
            row, column = (int(place[0]) for place in missing.nonzero())
            name = columns.columns[column]
            cell = table[name].iloc[row]
            raise UserError(
                f"{shown}: row {row + 1:,} of the images, column {name}: "
                f"{'the cell is blank' if pd.isna(cell) else repr(cell) + ' is not a number'}; every image must have a "
                "label, and a number for each pixel"
            )
