"""Prepares a picture as the images that a model was trained on were prepared: `fetch.preparation` of params.yaml."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.errors import UserError
from stages.shared.files.datasets import Preparation
from stages.shared.files.picture_files import make_square

Grey = NDArray[np.float32]

DESCRIPTIONS = {
    "mnist": "cropped, scaled and centred, as MNIST's digits were",
    "as-is": "resized, not cropped or centred",
}
FILLED = 0.8  # of the image's height or width: MNIST's digits take 0.71, what takes more was not prepared like them
FAR = 0.5  # difference in grey value between a light and a dark ground
MOST = 0.8  # share of the pixels at the edges that show the ground, if a drawing does not touch them much


class Prepared(NamedTuple):
    """An image for a model.

    Attributes
    ----------
    image : ndarray of float32, shape (side, side)
        0-1.
    notes : list of str
        What was done to the picture, and what looks wrong.
    """

    image: Grey
    notes: list[str]


def prepare(grey: Grey, side: int, preparation: Preparation, name: str) -> Prepared:
    """Convert a picture to an image for a model.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        0 black to 1 white.
    side : int
        Height and width of the model's images in pixels.
    preparation : Preparation
        How the images that the model was trained on were prepared.
    name : str
        Name of the picture, for error messages.

    Raises
    ------
    UserError
        The preparation is "mnist", and there is no ink in the picture.
    """
    return _as_is(grey, side, preparation) if preparation.name == "as-is" else _like_mnist(grey, side, name)


def _like_mnist(grey: Grey, side: int, name: str) -> Prepared:
    from inference import like_mnist  # OpenCV takes a while to import

    try:
        digit = like_mnist.prepare(grey, side, name)
    except UserError as error:
        if grey.shape == (side, side) and grey.min() < grey.max():
            raise UserError(f"{error}; if it is not a digit like MNIST's: --preparation as-is") from None
        raise
    notes = ["lines or a frame removed"] if digit.lines else []
    if digit.shapes > 1:
        notes.append(f"perhaps {digit.shapes} digits: separate shapes, read as one")
    if grey.shape == (side, side) and like_mnist.extent(grey) > FILLED * side:
        notes.append(f"has {side} x {side} pixels and fills them: perhaps one for --preparation as-is")
    return Prepared(digit.image, notes)


def _as_is(grey: Grey, side: int, preparation: Preparation) -> Prepared:
    # Rounded to whole grey values where stage fetch does so, for the same image.
    square = np.rint(make_square(np.rint(grey * 255), side, preparation.square))
    image = np.asarray(255 - square if preparation.inverted else square, np.float32) / np.float32(255)
    edges = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    if preparation.inverted:
        edges = 1 - edges
    notes = []
    if grey.shape != (side, side) and np.mean(np.abs(edges - preparation.edges) > FAR) > MOST:
        ground, usual = ("dark", "light") if preparation.edges > 0.5 else ("light", "dark")
        notes.append(f"{ground} ground, and the model's images have a {usual} one: perhaps one for --preparation mnist")
    return Prepared(image, notes)
