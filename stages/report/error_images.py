"""The test images that models misclassify: in which order the page keeps them, and one picture of all of them."""

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.shared.charts.image_grid import image_map

Codes = NDArray[np.int64]

PIXELS = 10_000_000  # of all images together, at most; more would not fit into the page
COLUMNS = 15  # of the sprite
GREYS = 16  # of the sprite: a fourth of the bytes that 256 take


def error_rows(labels: Codes, predicted: Mapping[str, Codes], best: str) -> NDArray[np.int64]:
    """Find the images that any model misclassifies, in the order in which the page keeps them.

    Parameters
    ----------
    labels : ndarray of int64, shape (n,)
        Actual codes.
    predicted : mapping of str to ndarray of int64, shape (n,)
        Model -> the codes it predicts.
    best : str
        One of the models.

    Returns
    -------
    ndarray of int64
        Rows: the errors of the best model, then the others; within both, those that the most models misclassify first,
        ties in the order of the data.
    """
    wrong = np.array([codes != labels for codes in predicted.values()])
    models_wrong = wrong.sum(axis=0)
    rows = np.flatnonzero(models_wrong)
    # lexsort sorts by its last key first.
    order = np.lexsort((-models_wrong[rows], predicted[best][rows] == labels[rows]))
    return rows[order]


def sprite(images: NDArray[np.float32]) -> bytes:
    """Return a PNG with the images side by side, `COLUMNS` per row: black, as opaque as the image is light.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
        Grey values, 0-1; n is at least 1.
    """
    sheet = image_map(images, -(-len(images) // COLUMNS), COLUMNS, padding=0)
    picture = Image.fromarray(np.round((GREYS - 1) * sheet).astype(np.uint8))
    picture.putpalette([0, 0, 0] * GREYS)
    file = io.BytesIO()
    opacity = bytes(255 * grey // (GREYS - 1) for grey in range(GREYS))
    picture.save(file, format="PNG", bits=4, transparency=opacity)
    return file.getvalue()
