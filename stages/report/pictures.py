"""Pictures of the data and of all models: each function reads what its pictures need and returns them as PNG, by name.

To add a picture, write such a function and add it to `PICTURES`.
"""

from collections.abc import Callable, Iterator
from typing import Any

import altair as alt
import numpy as np

from stages.report.digit_pictures import most_confident_errors, sample_figure, wrong_figure
from stages.shared.charts.curves_chart import all_nets_chart
from stages.shared.charts.leaderboard_chart import leaderboard_chart
from stages.shared.charts.picture_style import figure_png
from stages.shared.charts.png import chart_png
from stages.shared.files import paths
from stages.shared.files.datasets import load_classes, load_images, load_labels, load_raw_images
from stages.shared.files.predictions import load_facts, load_predictions
from stages.shared.files.tables import load_history
from stages.shared.files.text_files import load_json

Pictures = Iterator[tuple[str, bytes]]  # name and PNG


def samples() -> Pictures:
    """Draw the first images of the data set."""
    yield "samples", figure_png(sample_figure(load_raw_images()[:50], title="the first images of the data set"))


def leaderboard() -> Pictures:
    """Draw the test accuracies of all models."""
    board = load_json(paths.LEADERBOARD)
    chart = leaderboard_chart(board, _nets(board)).properties(width=520, height=alt.Step(24))
    title = f"test accuracy on {len(load_labels('test')):,} images"
    note = "dot: test accuracy, bar: 95 % interval; grey: baselines, other colours: nets, as in their curves"
    yield "leaderboard", chart_png(chart, title, note)


def all_nets() -> Pictures:
    """Draw the learning curves of all nets together."""
    nets = _nets(load_json(paths.LEADERBOARD))
    histories = {net: load_history(net) for net in nets}
    if histories:
        validated = all("val_loss" in history for history in histories.values())
        title = f"all nets, on the {'validation' if validated else 'training'} set"
        kept = {net: load_facts(net)["best_epoch"] for net in nets}
        yield "all-nets", chart_png(all_nets_chart(histories, kept), title, "ring: the epoch that was kept")


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


PICTURES: tuple[Callable[[], Pictures], ...] = (samples, leaderboard, all_nets, errors)


def _nets(board: list[dict[str, Any]]) -> list[str]:
    # Only nets are trained in epochs.
    return [row["model"] for row in board if "best_epoch" in load_facts(row["model"])]
