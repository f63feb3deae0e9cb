"""Which weights of a model can be looked at, and how each is drawn."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.svm import SVC, NuSVC

from stages.params.pictures import WeightMap
from stages.plot_weights.image_maps import weight_maps
from stages.plot_weights.weights import weight_map_figure, weight_matrix_figure

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


def drawn_weights(
    model: str, weights: Mapping[str, Weights], how: Mapping[str, WeightMap], names: Sequence[str]
) -> dict[str, Figure]:
    """Draw what `linear_weights` or `net_weights` found.

    Parameters
    ----------
    model : str
        Name of the model, for titles.
    weights : mapping of str to Weights
        Layer -> its weights.
    how : mapping of str to WeightMap
        Layer -> grid and range; defaults where a layer is not named.
    names : sequence of str
        Class names.

    Returns
    -------
    dict of str to Figure
        Layer -> picture.
    """
    figures = {}
    for layer, (maps, matrix, per_class) in weights.items():
        wanted = how.get(layer, WeightMap())
        labels = names if per_class else None
        title = f"{model}: weights of {layer}"
        if maps is not None:
            figures[layer] = weight_map_figure(
                maps, title=title, names=labels, rows_columns=wanted.grid(len(maps)), vmax=wanted.range
            )
        elif matrix is not None:
            figures[layer] = weight_matrix_figure(matrix, title=title, output_names=labels, vmax=wanted.range)
    return figures
