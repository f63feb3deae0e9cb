"""What a model says of pictures, as a table, as JSON, and as an image to look at."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.files.predictions import Predictions

DECIMALS = 4  # of a probability in the table
JSON_DECIMALS = 6

ENLARGED = 280  # pixels of the side at least, of an image to look at


class Answer(NamedTuple):
    """What a model says of one picture.

    Attributes
    ----------
    file : str
        The picture.
    class_ : str or None
        Name of the predicted class; None where the picture could not be read.
    probabilities : dict of str to float, or None
        Class name -> probability, 0-1; None where the model gives none.
    notes : list of str
        What to know about the picture.
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
    """Put what a model predicted into words.

    Parameters
    ----------
    files : sequence of Path, length n
        The pictures.
    predicted : Predictions
        Of n images.
    names : sequence of str
        Class names in the order of their codes.
    notes : sequence of list of str, length n
        What to know about each picture.
    """
    rows = zip(files, predicted.codes, predicted.scores, notes, strict=True)
    if predicted.kind != "probability":
        return [Answer(_printable(file), names[code], None, of_file, None) for file, code, _, of_file in rows]
    return [
        Answer(_printable(file), names[code], dict(zip(names, scores.tolist(), strict=True)), of_file, None)
        for file, code, scores, of_file in rows
    ]


def unreadable(file: Path, error: str) -> Answer:
    """Say why a picture could not be read."""
    return Answer(_printable(file), None, None, [], _printable(error))


def as_table(rows: Sequence[Answer]) -> str:
    """Write a line a picture that could be read, under a heading.

    Returns
    -------
    str
        Columns file, class, probability, runner-up and, where there is something to note, note. Probability and
        runner-up are empty where the model gives no probabilities.
    """
    lines = [["file", "class", "probability", "runner-up", "note" if any(row.notes for row in rows) else ""]]
    for row in rows:
        if row.class_ is not None:
            lines.append([row.file, row.class_, *_probabilities(row), "; ".join(row.notes)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join(padded)


def as_json(rows: Sequence[Answer]) -> str:
    """Write a list of objects: file, class, probabilities, notes, error; null where there is none."""
    objects: list[dict[str, Any]] = []
    for row in rows:
        probabilities = row.probabilities and {
            name: round(value, JSON_DECIMALS) for name, value in row.probabilities.items()
        }
        objects.append(
            {
                "file": row.file,
                "class": row.class_,
                "probabilities": probabilities,
                "notes": row.notes,
                "error": row.error,
            }
        )
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
    """Name the images to look at after the pictures they were made of, each name once."""
    names: list[str] = []
    for file in files:
        name, number = f"{file.stem}.fed.png", 1
        while name in names:
            number += 1
            name = f"{file.stem}-{number}.fed.png"
        names.append(name)
    return names


def _printable(text: Path | str) -> str:
    # A file's name may hold bytes that are no text.
    return str(text).encode(errors="replace").decode()


def _probabilities(row: Answer) -> tuple[str, str]:
    if row.probabilities is None or row.class_ is None:
        return "", ""
    others = {name: value for name, value in row.probabilities.items() if name != row.class_}
    second = max(others, key=others.__getitem__)
    return f"{row.probabilities[row.class_]:.{DECIMALS}f}", f"{second} ({others[second]:.{DECIMALS}f})"
