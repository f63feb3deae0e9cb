"""Selects the weights of a model that can be drawn; imports neither scikit-learn nor Keras."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.shared.files.weights import Weights

MATRIX_AT_MOST = 128  # inputs of a layer that is drawn as a matrix; more would be too small to see

COEFFICIENTS = "coefficients"


def linear_weights(model: Any, height: int, width: int, names: Sequence[str]) -> dict[str, Weights]:
    """Return the weights of a linear classifier under "coefficients"; an empty dict for other classifiers.

    Parameters
    ----------
    model : ClassifierMixin
        A fitted classifier.
    height, width : int
        Size of the images in pixels.
    names : sequence of str
        Class names. For two classes there is one row of weights.
    """
    coefficients = getattr(model, "coef_", None)
    if not isinstance(coefficients, np.ndarray) or coefficients.ndim != 2:
        return {}
    if hasattr(model, "decision_function_shape") and len(names) > 2:
        return {}  # SVC and NuSVC have one row per pair of classes
    maps = weight_maps(coefficients.T, height, width)
    return {} if maps is None else {COEFFICIENTS: Weights(maps, None, len(maps) == len(names))}


def net_weights(model: Any, height: int, width: int) -> dict[str, Weights]:
    """Return the weights of a net that can be drawn, by layer.

    Parameters
    ----------
    model : keras.Model
        A trained net.
    height, width : int
        Size of the images in pixels.

    Returns
    -------
    dict of str to Weights
        Maps for the first layer with a kernel, if its inputs are the pixels; a matrix for every other dense layer
        with at most `MATRIX_AT_MOST` inputs.
    """
    drawn: dict[str, Weights] = {}
    layers = [layer for layer in model.layers if hasattr(layer, "kernel")]
    for position, layer in enumerate(layers):
        kernel = np.asarray(layer.kernel)
        last = layer is model.layers[-1]
        maps = weight_maps(kernel, height, width) if position == 0 else None
        if maps is not None:
            drawn[layer.name] = Weights(maps, None, last)
        elif kernel.ndim == 2 and len(kernel) <= MATRIX_AT_MOST:
            drawn[layer.name] = Weights(None, kernel, last)
    return drawn


def weight_maps(kernel: NDArray[Any], height: int, width: int) -> NDArray[Any] | None:
    """Return the weights of a layer whose inputs are the pixels as maps, one per unit or filter.

    Parameters
    ----------
    kernel : ndarray
        Of the first layer, in the shapes of Keras: (height * width, n) for a dense layer, (kh, kw, 1, n) for a
        convolution.
    height, width : int
        Size of the images in pixels.

    Returns
    -------
    ndarray or None
        (n, height, width) or (n, kh, kw), a copy of the same dtype; None for any other shape of `kernel`.
    """
    if kernel.ndim == 2 and kernel.shape[0] == height * width:
        return kernel.T.reshape((-1, height, width)).copy()
    if kernel.ndim == 4 and kernel.shape[2] == 1:
        return kernel[:, :, 0, :].transpose((2, 0, 1)).copy()
    return None
