"""The weights of a trained model that are drawn, without its library."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.shared.files.array_archives import reading_arrays, save_arrays
from stages.shared.files.paths import WEIGHTS


class Weights(NamedTuple):
    """The weights of one layer, to be drawn as maps or as a matrix.

    Attributes
    ----------
    maps : ndarray of float, shape (n, height, width), or None
        One map per unit or filter, if the inputs of the layer are the pixels.
    matrix : ndarray of float, shape (inputs, outputs), or None
        The kernel of any other dense layer.
    per_class : bool
        Whether the units are the classes.
    """

    maps: NDArray[Any] | None
    matrix: NDArray[Any] | None
    per_class: bool


def save_weights(name: str, weights: Mapping[str, Weights]) -> None:
    """Write the weights of a model, by layer."""
    arrays: dict[str, NDArray[Any]] = {}
    for layer, (maps, matrix, per_class) in weights.items():
        if maps is not None:
            arrays[f"{layer}/maps"] = maps
        if matrix is not None:
            arrays[f"{layer}/matrix"] = matrix
        arrays[f"{layer}/per_class"] = np.array(per_class)
    save_arrays(WEIGHTS.path(name), **arrays)


def load_weights(name: str) -> dict[str, Weights]:
    """Read the weights of a model, by layer; empty if none are drawn.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    with reading_arrays(WEIGHTS.path(name)) as arrays:
        layers = dict.fromkeys(key.partition("/")[0] for key in arrays.files)
        return {
            layer: Weights(
                arrays.get(f"{layer}/maps"), arrays.get(f"{layer}/matrix"), bool(arrays[f"{layer}/per_class"])
            )
            for layer in layers
        }
