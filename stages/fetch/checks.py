"""Puts the two parts of a data set together, and checks what holds for one from any source."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError


class Part(NamedTuple):
    """The train or the test rows.

    Attributes
    ----------
    images : ndarray of uint8, shape (n, side, side)
        Grey values, 0-255.
    labels : ndarray of uint8, shape (n,)
        Labels, 0-255.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def join(train: Part, test: Part, source: str) -> Part:
    """Put the train rows before the test rows.

    Parameters
    ----------
    train, test : Part
        The two parts as read.
    source : str
        What to call the data set in an error.

    Raises
    ------
    UserError
        A part has not as many labels as images, or the images of the parts differ in size.
    """
    for name, part in (("train", train), ("test", test)):
        if len(part.images) != len(part.labels):
            raise UserError(
                f"{source}: there are {len(part.images):,} {name} images "
                f"and {len(part.labels):,} {name} labels; each image must have one label"
            )
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"{source}: the train images are {size(train.images)} pixels and the test images "
            f"{size(test.images)}; all must have one size"
        )
    return Part(np.concatenate([train.images, test.images]), np.concatenate([train.labels, test.labels]))


def check_classes(labels: NDArray[Any], source: str) -> int:
    """Return the number of different labels; raises UserError if there are fewer than two."""
    classes = np.unique(labels)
    if len(classes) < 2:
        raise UserError(f"{source}: every label is {classes[0]}; at least two classes are needed")
    return len(classes)


def check_sums(arrays: dict[str, NDArray[Any]], expected: dict[str, str | None], source: str) -> None:
    """Compare the arrays with the checksums of params.yaml.

    Parameters
    ----------
    arrays : dict of str to ndarray
        The arrays under their keys in `fetch.sha256`.
    expected : dict of str to str or None
        SHA-256 of the bytes of each array in C order, in lower-case hexadecimal digits; None is not checked.
    source : str
        What to call the data set in an error.

    Raises
    ------
    UserError
        One line for each array that has another checksum.
    """
    faults = []
    for key, array in arrays.items():
        wanted = expected.get(key)
        found = hashlib.sha256(array.tobytes()).hexdigest()
        if wanted is not None and found != wanted:
            faults.append(
                f"{source}: the {key} have SHA-256 {found}, and fetch.sha256.{key} of params.yaml asks for "
                f"{wanted}; mend the source or, if these data are meant, write the new value or null there"
            )
    if faults:
        raise UserError("\n".join(faults))


def size(images: NDArray[np.uint8]) -> str:
    """Say how large images are, as in "28 x 28"."""
    return f"{images.shape[1]} x {images.shape[2]}"
