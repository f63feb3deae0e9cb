"""Joins the two parts of a data set, and checks data sets from any source."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError


class Part(NamedTuple):
    """The training or the test rows.

    Attributes
    ----------
    images : ndarray of numbers, shape (n, height, width)
        Grey values.
    labels : ndarray of numbers or strings, shape (n,)
        Labels.
    """

    images: NDArray[Any]
    labels: NDArray[Any]


def join(train: Part, test: Part, source: str) -> Part:
    """Concatenate the training rows and the test rows, in this order.

    Parameters
    ----------
    train, test : Part
        The two parts.
    source : str
        Name of the data set in errors.

    Raises
    ------
    UserError
        A part has more labels than images or fewer, or the images of the parts differ in size.
    """
    check_pairs(train, source, "training ")
    check_pairs(test, source, "test ")
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"{source}: the training images have {size(train.images)} pixels, the test images {size(test.images)}; "
            "all must have the same size"
        )
    return Part(np.concatenate([train.images, test.images]), np.concatenate([train.labels, test.labels]))


def check_pairs(part: Part, source: str, name: str = "") -> Part:
    """Return a part; raises UserError if it has more labels than images or fewer."""
    if len(part.images) != len(part.labels):
        raise UserError(
            f"{source}: {len(part.images):,} {name}images but {len(part.labels):,} {name}labels; each image must have "
            "one label"
        )
    return part


def check_classes(labels: NDArray[Any], source: str) -> int:
    """Return the number of classes; raises UserError if there are fewer than two."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise UserError(f"{source}: every label is {classes[0]}; there must be at least two classes")
    return len(classes)


def check_sums(arrays: dict[str, NDArray[Any]], expected: dict[str, str | None], source: str) -> None:
    """Compare the arrays with the checksums of params.yaml.

    Parameters
    ----------
    arrays : dict of str to ndarray
        Arrays by key of `fetch.sha256`.
    expected : dict of str to str or None
        SHA-256 of the bytes of each array in C order, in lower-case hexadecimal digits; None accepts any.
    source : str
        Name of the data set in errors.

    Raises
    ------
    UserError
        An array has another checksum; one line per array.
    """
    mistakes = []
    for key, array in arrays.items():
        actual = hashlib.sha256(array.tobytes()).hexdigest()
        if expected[key] not in (None, actual):
            mistakes.append(
                f"{source}: the SHA-256 of the {key} is {actual}, but fetch.sha256.{key} in params.yaml is "
                f"{expected[key]}; correct fetch.source, or write the new value (or null) if these are the right data"
            )
    if mistakes:
        raise UserError("\n".join(mistakes))


def size(images: NDArray[Any]) -> str:
    """Return the size of images as text, such as "28 x 28"."""
    return f"{images.shape[1]} x {images.shape[2]}"
