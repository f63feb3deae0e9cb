"""The test images that are hardest to classify, and one picture of all of them."""

import io
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Codes = NDArray[np.int64]

AT_MOST = 150  # images, about 30 kB of the page
COLUMNS = 15  # of the sprite


class Hard(NamedTuple):
    """Test images that are hard to classify.

    Attributes
    ----------
    rows : ndarray of int64
        Those that the most models get wrong first, ties in the order of the data; at most `AT_MOST`.
    of_best, of_most : tuple of int and int
        Of the images that the best model gets wrong, and of the others that most models get wrong: how many are in
        `rows`, and how many there are.
    """

    rows: NDArray[np.int64]
    of_best: tuple[int, int]
    of_most: tuple[int, int]


def hard_images(labels: Codes, predicted: Mapping[str, Codes], best: str) -> Hard:
    """Choose the images that the best model gets wrong, then those that more than half of the models get wrong.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        Actual codes.
    predicted : mapping of str to ndarray of int64, shape (n,)
        Model -> the codes it predicts.
    best : str
        One of the models.
    """
    wrong = np.array([codes != labels for codes in predicted.values()])
    models_wrong = wrong.sum(axis=0)
    by_best = predicted[best] != labels
    candidates = np.flatnonzero(by_best | (2 * models_wrong > len(wrong)))
    # lexsort sorts by its last key first.
    chosen = candidates[np.lexsort((-models_wrong[candidates], ~by_best[candidates]))][:AT_MOST]
    rows = chosen[np.lexsort((chosen, -models_wrong[chosen]))]
    shown, found = int(by_best[rows].sum()), int(by_best.sum())
    return Hard(rows, (shown, found), (len(rows) - shown, len(candidates) - found))


def sprite(images: NDArray[np.float32]) -> bytes:
    """Return a PNG with the images side by side, `COLUMNS` per row.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
        Grey values, 0-1; n is at least 1.
    """
    n, height, width = images.shape
    rows = -(-n // COLUMNS)
    sheet = np.zeros((rows * COLUMNS, height, width), np.uint8)
    sheet[:n] = np.round(255 * images)
    picture = sheet.reshape(rows, COLUMNS, height, width).swapaxes(1, 2).reshape(rows * height, COLUMNS * width)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return file.getvalue()
