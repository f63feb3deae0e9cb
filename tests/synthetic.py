"""Images that look enough like digits for simple models to learn them."""

import numpy as np
from numpy.typing import NDArray


def digits(n: int, size: int = 28, classes: int = 10, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw a blob in each image, in a place of its class's own.

    Parameters
    ----------
    n : int
        Number of images.
    size : int
        Their height and width in pixels.
    classes : int
        Number of classes; all are equally frequent, give or take one.
    seed : int
        Of the noise and the order.

    Returns
    -------
    images : ndarray of uint8, shape (n, size, size)
        Grey values, 0-255.
    labels : ndarray of int64, shape (n,)
        Class codes.
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    angle = 2 * np.pi * labels / classes
    centre = size / 2 + 0.3 * size * np.stack([np.sin(angle), np.cos(angle)]) + rng.normal(0, 0.03 * size, (2, n))
    rows, columns = np.mgrid[:size, :size]
    distance = (rows - centre[0][:, None, None]) ** 2 + (columns - centre[1][:, None, None]) ** 2
    blobs = 220 * np.exp(-distance / (2 * (size / 9) ** 2))
    return np.clip(blobs + rng.uniform(0, 30, blobs.shape), 0, 255).astype(np.uint8), labels


def pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Rescale images to 0-1, as the pipeline does."""
    return images.astype(np.float32) / np.float32(255)
