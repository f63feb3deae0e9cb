"""Predictions for pictures as a table, as JSON, and as images to look at."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import one_line
from stages.shared.files.predictions import Predictions

DECIMALS = 4  # of a probability in the table
JSON_DECIMALS = 6
LONGEST_STEM = 200  # bytes of a file name, of which file systems allow 255
ENLARGED = 280  # minimum side of an image to look at, in pixels


class Answer(NamedTuple):
    """The prediction for one picture.

    Attributes
    ----------
    file : str
        Path of the picture.
    class_ : str or None
        Name of the predicted class; None if the picture could not be read.
    probabilities : dict of str to float, or None
        Class name -> probability, 0-1; None if the model has no probabilities.
    notes : list of str
        Remarks on the picture.
    error : str or None
        Why it could not be read.
    """

    file: str
    class_: str | None
    probabilities: dict[str, float] | None
    notes: list[str]
    error: str | None


def answers(
    files: Sequence[Path], predicted: Predictions, names: Sequence[str], notes: Sequence[list[str]]
) -> list[Answer]:
    """Return one answer per picture.

    Parameters
    ----------
    files : sequence of Path, length n
        The pictures.
    predicted : Predictions
        Of n images.
    names : sequence of str
        Class names in the order of their codes.
    notes : sequence of list of str, length n
        Remarks on each picture.
    """
    found = []
    for file, code, scores, remarks in zip(files, predicted.codes, predicted.scores, notes, strict=True):
        probable = predicted.kind == "probability"
        probabilities = dict(zip(names, scores.tolist(), strict=True)) if probable else None
        found.append(Answer(_printable(file), names[code], probabilities, remarks, None))
    return found


def unreadable(file: Path, error: str) -> Answer:
    """Return the answer for a picture that could not be read."""
    return Answer(_printable(file), None, None, [], _printable(error))


def as_table(rows: Sequence[Answer]) -> str:
    """Format one line per picture that could be read, below a heading.

    Returns
    -------
    str
        Columns file, class, probability, runner-up and, if there are remarks, note. Probability and runner-up are
        empty if the model has no probabilities.
    """
    lines = [["file", "class", "probability", "runner-up", "note" if any(row.notes for row in rows) else ""]]
    for row in rows:
        if row.class_ is not None:
            cells = (row.class_, *_two_highest(row), "; ".join(row.notes))
            lines.append([row.file, *(one_line(cell, len(cell)) for cell in cells)])
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_json(rows: Sequence[Answer], preparation: str) -> str:
    """Format a JSON list of objects with the keys file, class, probabilities, preparation, notes and error."""
    objects = [
        {
            "file": row.file,
            "class": row.class_,
            "probabilities": row.probabilities
            and {name: round(value, JSON_DECIMALS) for name, value in row.probabilities.items()},
            "preparation": preparation,
            "notes": row.notes,
            "error": row.error,
        }
        for row in rows
    ]
    return json.dumps(objects, indent=2, ensure_ascii=False)


def enlarged(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Enlarge an image by repeating its pixels.

    Parameters
    ----------
    image : ndarray of float32, shape (side, side)
        0-1.

    Returns
    -------
    ndarray of uint8, shape (times * side, times * side)
        0-255.
    """
    times = -(-ENLARGED // len(image))
    return np.rint(image * 255).astype(np.uint8).repeat(times, axis=0).repeat(times, axis=1)


def image_names(files: Sequence[Path]) -> list[str]:
    """Return a unique file name for the image made from each picture, also on disks that ignore case."""
    names: dict[str, str] = {}
    for file in files:
        stem = file.stem.encode(errors="surrogateescape")[:LONGEST_STEM].decode(errors="ignore")
        name, number = f"{stem}.fed.png", 1
        while name.casefold() in names:
            number += 1
            name = f"{stem}-{number}.fed.png"
        names[name.casefold()] = name
    return list(names.values())


def _printable(text: Path | str) -> str:
    # A file name can contain bytes that are not valid UTF-8.
    return str(text).encode(errors="replace").decode()


def _width(text: str) -> int:
    """Return the number of columns of a terminal that a text takes."""
    wide = sum(unicodedata.east_asian_width(character) in "FW" for character in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


def _two_highest(row: Answer) -> tuple[str, str]:
    if row.probabilities is None or row.class_ is None:
        return "", ""
    others = {name: value for name, value in row.probabilities.items() if name != row.class_}
    second = max(others, key=others.__getitem__)
    return f"{row.probabilities[row.class_]:.{DECIMALS}f}", f"{second} ({others[second]:.{DECIMALS}f})"
