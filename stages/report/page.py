"""The report as one HTML file that needs nothing beside itself, and as Markdown."""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from stages.report.charts import classes_chart, compiled, curves_chart, leaderboard_chart, percent, vega_library
from stages.report.errors import COLUMNS, Codes, hard_images, sprite

SIGNIFICANT = 0.05  # two-sided level of the McNemar test, as in the leaderboard


class Results(NamedTuple):
    """What the report is made of.

    Attributes
    ----------
    leaderboard : list of dict
        A row a model, the best first, as stage evaluate writes it.
    per_class : DataFrame
        Columns model, class, precision, recall, f1 (0-1), support.
    histories : mapping of str to DataFrame
        Net -> a row an epoch: epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss.
    kept : mapping of str to int
        Net -> the epoch whose weights were kept.
    names : sequence of str
        Class names in the order of their codes.
    images : ndarray of float32, shape (n, height, width)
        The test images, 0-1.
    labels : ndarray of int64, shape (n,)
        Their codes.
    predicted : mapping of str to ndarray of int64, shape (n,)
        Model -> the codes it predicts for the test images.
    weights : mapping of str to bytes
        MODEL.LAYER -> a PNG.
    """

    leaderboard: list[dict[str, Any]]
    per_class: pd.DataFrame
    histories: Mapping[str, pd.DataFrame]
    kept: Mapping[str, int]
    names: Sequence[str]
    images: NDArray[np.float32]
    labels: Codes
    predicted: Mapping[str, Codes]
    weights: Mapping[str, bytes]


def html_page(results: Results) -> str:
    """Write the report as HTML with scripts, styles and pictures inside; the same text for the same results."""
    board = results.leaderboard
    models = [row["model"] for row in board]
    hard = hard_images(results.labels, results.predicted, models[0])
    rows = hard.rows
    height, width = results.images.shape[1:]
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=percent, data_uri=data_uri, verdict=_verdict)
    data = {
        "classes": [*results.names],
        "models": models,
        "confusion": {name: _counts(results.labels, results.predicted[name], len(results.names)) for name in models},
        "perClass": {name: _scores(results.per_class, name) for name in models},
        "errors": {
            "rows": rows.tolist(),
            "actual": results.labels[rows].tolist(),
            "votes": {name: results.predicted[name][rows].tolist() for name in models},
            "columns": COLUMNS,
        },
        "charts": {name: compiled(chart) for name, chart in _charts(results).items()},
    }
    return environment.get_template("page.html").render(
        style=Markup((here / "page.css").read_text(encoding="utf-8")),
        script=Markup((here / "page.js").read_text(encoding="utf-8")),
        library=base64.b64encode(zlib.compress(vega_library().encode(), 9)).decode(),
        data=Markup(_json_in_html(data)),
        # A leaderboard without a model no better than chance does not speak of it.
        board=[{"chance_level": None, **row} for row in board],
        chance=next((row["chance_level"] for row in board if row.get("chance_level")), None),
        nets=_nets(results),
        validated=any("val_loss" in history for history in results.histories.values()),
        test_images=len(results.labels),
        hard=hard,
        image={"width": width, "height": height},
        sprite=sprite(results.images[rows]) if len(rows) else b"",
        sprite_rows=-(-len(rows) // COLUMNS),
        columns=COLUMNS,
        weights=_in_order(results.weights, models),
    )


def markdown_page(leaderboard: str, pictures: Mapping[str, Sequence[str]], models: Sequence[str]) -> str:
    """Write the report as Markdown.

    Parameters
    ----------
    leaderboard : str
        The table, as stage evaluate writes it.
    pictures : mapping of str to sequence of str
        Folder of reports/pictures ("weights", "curves", "confusion") -> names of its pictures, without their ending.
    models : sequence of str
        The best first, which is the order of the pictures.
    """
    lines = [
        "# What the models reach",
        "",
        "[index.html](index.html) is this page with charts that answer to a click; download it and open it.",
        "",
        "## Leaderboard",
        "",
        "![Test accuracy of every model with its 95 % interval](pictures/leaderboard.png)",
        "",
        leaderboard.strip(),
        "",
        "## Errors",
        "",
        "![The test images that the best model got wrong most surely](pictures/errors.png)",
    ]
    titles = {
        "curves": ("Learning curves", "Accuracy and loss of {} after each epoch"),
        "confusion": ("Confusion matrices", "How often {} takes each class for each other"),
        "weights": ("Weights", "Weights of {}, blue minus, red plus"),
    }
    for kind, (title, alt) in titles.items():
        if not pictures[kind]:
            continue
        lines += ["", f"## {title}"]
        for name in sorted(pictures[kind], key=lambda name: _place(name, models)):
            of = "all nets" if name == "all-nets" else name
            lines += ["", f"![{alt.format(of)}](pictures/{kind}/{name}.png)"]
    return "\n".join(lines) + "\n"


def data_uri(png: bytes) -> str:
    """Write a PNG as an address that holds the picture itself."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _charts(results: Results) -> dict[str, dict[str, Any]]:
    board = results.leaderboard
    models = [row["model"] for row in board]
    charts = {
        "leaderboard": leaderboard_chart(
            models,
            np.array([row["test_accuracy"] for row in board]),
            np.array([row["test_accuracy_low"] for row in board]),
            np.array([row["test_accuracy_high"] for row in board]),
            kinds=["neural net" if name in results.histories else "baseline" for name in models],
        ),
        "classes": classes_chart(results.per_class, results.names, models),
    }
    if results.histories:
        charts["accuracy"] = curves_chart(results.histories, results.kept, "accuracy")
        charts["loss"] = curves_chart(results.histories, results.kept, "loss")
    return charts


def _nets(results: Results) -> list[dict[Any, Any]]:
    """Gather what the table below the learning curves says: each net at the epoch that was kept."""
    nets: list[dict[Any, Any]] = []
    for name, history in results.histories.items():
        kept = history[history["epoch"] == results.kept[name]].iloc[0]
        nets.append({"name": name, "epochs": len(history), "kept": results.kept[name], **kept.drop("epoch").to_dict()})
    return nets


def _counts(labels: Codes, predicted: Codes, classes: int) -> list[list[int]]:
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts.tolist()


def _scores(per_class: pd.DataFrame, model: str) -> list[list[float]]:
    return per_class.loc[per_class["model"] == model, ["precision", "recall", "f1", "support"]].to_numpy().tolist()


def _in_order(weights: Mapping[str, bytes], models: Sequence[str]) -> list[tuple[str, str, bytes]]:
    ordered = []
    for name in sorted(weights, key=lambda name: _place(name, models)):
        model, _, layer = name.partition(".")
        ordered.append((model, layer, weights[name]))
    return ordered


def _place(picture: str, models: Sequence[str]) -> tuple[int, str]:
    # A picture of no model is of all: it comes first.
    model = picture.partition(".")[0]
    return (models.index(model) if model in models else -1), picture


def _json_in_html(content: Any) -> str:
    # A "<" might end the element that the JSON stands in.
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _verdict(row: Mapping[str, Any]) -> str:
    if row["mcnemar_p"] is None:
        return "the best"
    if row["mcnemar_p"] >= SIGNIFICANT:
        return "no clear difference"
    return "worse" if row["only_best_right"] > row["only_this_right"] else "better"
