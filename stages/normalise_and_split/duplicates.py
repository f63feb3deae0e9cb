"""Duplicate images within and across the sets: test images that were trained on make a score too high."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.normalise_and_split.split import Division


def count_duplicates(images: NDArray[Any], codes: NDArray[np.int64], division: Division) -> dict[str, int]:
    """Count images with the same pixels.

    Parameters
    ----------
    images : ndarray, shape (n, height, width)
        All images.
    codes : ndarray of int64, shape (n,)
        Their class codes.
    division : Division
        Row numbers of the sets.

    Returns
    -------
    dict of str to int
        within_train, within_validation, within_test: images equal to an earlier one of the same set;
        validation_in_train, test_in_train_or_validation: images of the first set that also occur in the other;
        with_another_label: images that also occur with another label in any set.
    """
    numbers: dict[bytes, int] = {}
    train, validation, test = (
        np.array([numbers.setdefault(images[row].tobytes(), len(numbers)) for row in rows], np.int64)
        for rows in division
    )
    of_image = np.concatenate([train, validation, test])
    labelled = np.unique(np.stack([of_image, codes[np.concatenate(division)]]), axis=1)
    labels_of = np.bincount(labelled[0], minlength=len(numbers))
    return {
        "within_train": len(train) - len(np.unique(train)),
        "within_validation": len(validation) - len(np.unique(validation)),
        "within_test": len(test) - len(np.unique(test)),
        "validation_in_train": int(np.isin(validation, train).sum()),
        "test_in_train_or_validation": int(np.isin(test, np.concatenate([train, validation])).sum()),
        "with_another_label": int((labels_of[of_image] > 1).sum()),
    }


def describe(counts: dict[str, int]) -> str:
    """Return the counts above 0 as text, such as "within train 2, with another label 1"."""
    return ", ".join(f"{key.replace('_', ' ')} {count:,}" for key, count in counts.items() if count)
