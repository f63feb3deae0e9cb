"""Which weights of a model can be looked at."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.svm import SVC, NuSVC

MATRIX_AT_MOST = 128  # inputs of a layer drawn as a matrix; more would be too small to see

COEFFICIENTS = "coefficients"


class Weights(NamedTuple):
    """Weights to draw.

    Attributes
    ----------
    maps : ndarray of float, shape (n, height, width), or None
        An image a unit or filter, where the layer looks at pixels.
    matrix : ndarray of float, shape (inputs, outputs), or None
        Else, for a dense layer.
    per_class : bool
        Whether the units are the classes.
    """

    maps: NDArray[Any] | None
    matrix: NDArray[Any] | None
    per_class: bool


def linear_weights(model: ClassifierMixin, height: int, width: int, names: Sequence[str]) -> dict[str, Weights]:
    """Return the pixel weights of a linear classifier under "coefficients"; nothing for any other.

    Parameters
    ----------
    model : ClassifierMixin
        Fitted.
    height, width : int
        Size of the images in pixels.
    names : sequence of str
        Class names; two classes share one row of weights.
    """
    coefficients = getattr(model, "coef_", None)
    if not isinstance(coefficients, np.ndarray) or coefficients.ndim != 2:
        return {}
    if isinstance(model, SVC | NuSVC) and len(names) > 2:
        return {}  # a row a pair of classes, which is no picture of a class
    maps = weight_maps(coefficients.T, height, width)
    return {} if maps is None else {COEFFICIENTS: Weights(maps, None, len(maps) == len(names))}


def net_weights(model: keras.Model, height: int, width: int) -> dict[str, Weights]:
    """Return the weights of a net that can be looked at, layer by layer.

    Parameters
    ----------
    model : keras.Model
        Trained.
    height, width : int
        Size of the images in pixels.

    Returns
    -------
    dict of str to Weights
        The first layer with a kernel, where it looks at pixels, as maps; dense layers after it with at most 128
        inputs as matrices.
    """
    found: dict[str, Weights] = {}
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    for place, layer in enumerate(layers):
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        last = layer is model.layers[-1]
        maps = weight_maps(kernel, height, width) if place == 0 else None
        if maps is not None:
            found[layer.name] = Weights(maps, None, last)
        elif kernel.ndim == 2 and len(kernel) <= MATRIX_AT_MOST:
            found[layer.name] = Weights(None, kernel, last)
    return found


def weight_maps(kernel: NDArray[Any], height: int, width: int) -> NDArray[Any] | None:
    """Turn the weights of a layer that looks at pixels into images, one a unit or filter.

    Parameters
    ----------
    kernel : ndarray
        Weights as Keras keeps them: (height * width, n) of a dense layer, (kh, kw, 1, n) of a convolution.
        That a dense layer's inputs are the pixels shows in their number alone: give first layers only.
    height, width : int
        Size of the model's input images, in pixels.

    Returns
    -------
    ndarray or None
        (n, height, width) or (n, kh, kw), a copy of the same dtype; None for every other shape.
    """
    if kernel.ndim == 2 and kernel.shape[0] == height * width:
        return kernel.T.reshape((-1, height, width)).copy()
    if kernel.ndim == 4 and kernel.shape[2] == 1:
        return kernel[:, :, 0, :].transpose((2, 0, 1)).copy()
    return None
