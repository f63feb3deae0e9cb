"""The data of the trainings."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.files.datasets import load_classes, load_images, load_labels

Images = NDArray[np.float32]
Codes = NDArray[np.int64]


class Data(NamedTuple):
    """The split of the pipeline, without the test labels.

    Attributes
    ----------
    images, validation_images, test_images : ndarray of float32, shape (n, height, width)
        0-1.
    labels, validation_labels : ndarray of int64, shape (n,)
        Class codes.
    names : list of str
        Class names.
    """

    images: Images
    labels: Codes
    validation_images: Images
    validation_labels: Codes
    test_images: Images
    names: list[str]


def load_data() -> Data:
    """Read the split of the pipeline, without the test labels; raises UserError."""
    return Data(
        load_images("train"),
        load_labels("train"),
        load_images("validation"),
        load_labels("validation"),
        load_images("test"),
        load_classes(),
    )


def test_accuracies(codes: Mapping[str, Codes]) -> dict[str, float]:
    """Compare predicted codes of the test images with the test labels, which are read after the last training.

    Parameters
    ----------
    codes : mapping of str to ndarray of int64, shape (n,)
        Training -> predicted codes.

    Returns
    -------
    dict of str to float
        Training -> accuracy, 0-1.
    """
    labels = load_labels("test")
    return {key: float(np.mean(predicted == labels)) for key, predicted in codes.items()}
