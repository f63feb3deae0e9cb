"""The pictures of one model as PNG."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stages.plot_weights.confusion_matrix_picture import confusion_figure
from stages.plot_weights.weight_pictures import weight_map_figure, weight_matrix_figure
from stages.shared.charts.curves_chart import net_curves_chart
from stages.shared.charts.picture_style import figure_png
from stages.shared.charts.png import chart_png
from stages.shared.files.weights import Weights
from stages.shared.params.pictures_section import WeightMap


def pictures(
    model: str,
    weights: Mapping[str, Weights],
    settings: Mapping[str, WeightMap],
    counts: NDArray[Any],
    names: Sequence[str],
    history: pd.DataFrame | None,
    kept: int,
) -> Iterator[tuple[str, bytes]]:
    """Draw the weights, the confusion matrix and, of a net, the learning curves.

    Parameters
    ----------
    model : str
        Name of the model, for titles.
    weights : mapping of str to Weights
        Layer -> its weights.
    settings : mapping of str to WeightMap
        Layer -> grid and range.
    counts : ndarray of int, shape (classes, classes)
        Confusion matrix, actual classes as rows.
    names : sequence of str
        Class names in the order of their codes.
    history : DataFrame or None
        Of a net: columns epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss.
    kept : int
        The epoch whose weights were kept.

    Yields
    ------
    name : str
        "weights.LAYER", "confusion" or "curves".
    png : bytes
    """
    for layer, figure in drawn_weights(model, weights, settings, names).items():
        yield f"weights.{layer}", figure_png(figure)
    yield "confusion", figure_png(confusion_figure(counts, title=model, names=names))
    if history is not None:
        yield "curves", _curves(model, history, kept)


def _curves(net: str, history: pd.DataFrame, kept: int) -> bytes:
    best = history[history["epoch"] == kept].iloc[0]
    prefix, name = ("val_", "validation") if "val_loss" in history else ("", "training")
    note = (
        f"ring: kept epoch {kept}, {name} accuracy {100 * best[f'{prefix}accuracy']:.2f} %, "
        f"{name} loss {best[f'{prefix}loss']:.4f}"
    )
    return chart_png(net_curves_chart(history, kept), net, note)


def drawn_weights(
    model: str, weights: Mapping[str, Weights], settings: Mapping[str, WeightMap], names: Sequence[str]
) -> dict[str, Figure]:
    """Draw the weights of a model, as `linear_weights` or `net_weights` returns them.

    Parameters
    ----------
    model : str
        Name of the model, for titles.
    weights : mapping of str to Weights
        Layer -> its weights.
    settings : mapping of str to WeightMap
        Layer -> grid and range; the defaults for a layer that is not in it.
    names : sequence of str
        Class names.

    Returns
    -------
    dict of str to Figure
        Layer -> picture.
    """
    figures = {}
    for layer, (maps, matrix, per_class) in weights.items():
        drawing = settings.get(layer, WeightMap())
        labels = names if per_class else None
        title = f"{model}: weights of {layer}"
        if maps is not None:
            figures[layer] = weight_map_figure(
                maps, title=title, names=labels, rows_columns=drawing.grid(len(maps)), vmax=drawing.range
            )
        elif matrix is not None:
            figures[layer] = weight_matrix_figure(matrix, title=title, output_names=labels, vmax=drawing.range)
    return figures
