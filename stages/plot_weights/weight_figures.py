"""How the weights of a model are drawn."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from stages.plot_weights.weight_maps import weight_map_figure, weight_matrix_figure
from stages.shared.models.drawable_weights import Weights
from stages.shared.params.pictures_section import WeightMap


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
