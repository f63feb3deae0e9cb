"""All pictures of the stage: each function here reads what its pictures need and returns them as PNG, by name.

To add a picture, write such a function and add it to `PICTURES`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
from matplotlib.figure import Figure

from stages.plot_weights.confusion_matrix_picture import confusion_figure
from stages.plot_weights.weight_pictures import weight_map_figure, weight_matrix_figure
from stages.report.digit_pictures import most_confident_errors, sample_figure, wrong_figure
from stages.shared.charts.curves_chart import all_nets_chart, net_curves_chart
from stages.shared.charts.leaderboard_chart import leaderboard_chart
from stages.shared.charts.picture_style import figure_png
from stages.shared.charts.png import chart_png
from stages.shared.files import paths
from stages.shared.files.datasets import load_classes, load_image_size, load_images, load_labels, load_raw_images
from stages.shared.files.keras_models import load_net
from stages.shared.files.predictions import load_facts, load_predictions
from stages.shared.files.skops_models import load_baseline
from stages.shared.files.tables import load_history
from stages.shared.files.text_files import load_json
from stages.shared.models.drawable_weights import Weights, linear_weights, net_weights
from stages.shared.params import pictures_section
from stages.shared.params.pictures_section import WeightMap

Pictures = Iterator[tuple[str, bytes]]  # name, which may have a folder, and PNG


def samples() -> Pictures:
    """Draw the first images of the data set."""
    yield "samples", figure_png(sample_figure(load_raw_images()[:50], title="the first digits of the data set"))


def leaderboard() -> Pictures:
    """Draw the test accuracies of all models."""
    board = load_json(paths.LEADERBOARD)
    chart = leaderboard_chart(board, _nets(board)).properties(width=520, height=alt.Step(24))
    title = f"test accuracy on {len(load_labels('test')):,} images"
    yield "leaderboard", chart_png(chart, title, "dot: test accuracy, bar: 95 % interval")


def weights() -> Pictures:
    """Draw the weights of each layer or linear classifier that has a picture."""
    settings, names = pictures_section.load(), load_classes()
    height, width = load_image_size()
    board = load_json(paths.LEADERBOARD)
    nets = _nets(board)
    for row in board:
        model = row["model"]
        if model in nets:
            found = net_weights(load_net(model), height, width)
        else:
            found = linear_weights(load_baseline(model), height, width, names)
        for layer, figure in drawn_weights(model, found, settings.weights.get(model, {}), names).items():
            yield f"weights/{model}.{layer}", figure_png(figure)


def confusion() -> Pictures:
    """Draw the confusion matrix of each model."""
    names = load_classes()
    for model, counts in load_json(paths.CONFUSION_COUNTS).items():
        yield f"confusion/{model}", figure_png(confusion_figure(np.array(counts), title=model, names=names))


def curves() -> Pictures:
    """Draw the learning curves of each net, and of all nets together."""
    nets = _nets(load_json(paths.LEADERBOARD))
    # By name, as on the page: a net keeps its colour when another overtakes it.
    histories = {net: load_history(net) for net in sorted(nets)}
    kept = {net: load_facts(net)["best_epoch"] for net in nets}
    for net, history in histories.items():
        best = history[history["epoch"] == kept[net]].iloc[0]
        prefix, name = ("val_", "validation") if "val_loss" in history else ("", "training")
        note = (
            f"ring: kept epoch {kept[net]}, {name} accuracy {100 * best[f'{prefix}accuracy']:.2f} %, "
            f"{name} loss {best[f'{prefix}loss']:.4f}"
        )
        yield f"curves/{net}", chart_png(net_curves_chart(history, kept[net]), net, note)
    if histories:
        validated = all("val_loss" in history for history in histories.values())
        title = f"all nets, on the {'validation' if validated else 'training'} set"
        yield "curves/all-nets", chart_png(all_nets_chart(histories, kept), title, "ring: the epoch that was kept")


def errors() -> Pictures:
    """Draw the most confident errors of the best model."""
    best = load_json(paths.LEADERBOARD)[0]["model"]
    labels, test = load_labels("test"), load_predictions(best, "test")
    rows, confidence = most_confident_errors(labels, test)
    yield (
        "errors",
        figure_png(
            wrong_figure(
                load_images("test")[rows],
                labels[rows],
                test.codes[rows],
                confidence,
                title=f"{best}: its most confident errors",
                names=load_classes(),
                kind=test.kind,
                errors=int(np.sum(test.codes != labels)),
                total=len(labels),
            )
        ),
    )


PICTURES: tuple[Callable[[], Pictures], ...] = (samples, leaderboard, weights, confusion, curves, errors)


def _nets(board: list[dict[str, Any]]) -> list[str]:
    # Only nets are trained in epochs.
    return [row["model"] for row in board if "best_epoch" in load_facts(row["model"])]


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
