"""The report as one self-contained HTML file, and as Markdown."""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from stages.report.classes_chart import classes_chart
from stages.report.error_images import COLUMNS, PIXELS, Codes, error_rows, sprite
from stages.report.vega import compile_chart, vega_library
from stages.shared.charts import leaderboard_columns
from stages.shared.charts.curves_chart import MEASURES, curves_chart
from stages.shared.charts.leaderboard_chart import leaderboard_chart
from stages.shared.charts.number_format import percent
from stages.shared.charts.style import css_variables, net_colours

LIMIT = 1_000_000  # bytes of the page; what does not fit is left out, and the page says so
WEIGHTS = 400_000  # bytes of the pictures of weights, at most
Picture = tuple[str, str, bytes]  # model, layer and PNG
TILE, LARGE = 56, 224  # CSS pixels: about the size of an image in the list, and of an enlarged one


class Results(NamedTuple):
    """The results that the report shows.

    Attributes
    ----------
    leaderboard : list of dict
        One row per model, the best first, as stage evaluate writes it.
    per_class : DataFrame
        Columns model, class, precision, recall, f1 (0-1), support.
    confusion : mapping of str to list of list of int
        Model -> confusion matrix, actual classes as rows, predicted ones as columns.
    histories : mapping of str to DataFrame
        Net -> one row per epoch: epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss.
    kept : mapping of str to int
        Net -> the epoch whose weights were kept.
    names : sequence of str
        Class names in the order of their codes.
    images : ndarray of float32, shape (n, height, width)
        The test images, 0-1.
    labels : ndarray of int64, shape (n,)
        Their codes.
    predicted : mapping of str to ndarray of int64, shape (n,)
        Model -> predicted codes of the test images.
    weights : mapping of str to bytes
        MODEL.LAYER -> a PNG, in the order of the leaderboard.
    """

    leaderboard: list[dict[str, Any]]
    per_class: pd.DataFrame
    confusion: Mapping[str, list[list[int]]]
    histories: Mapping[str, pd.DataFrame]
    kept: Mapping[str, int]
    names: Sequence[str]
    images: NDArray[np.float32]
    labels: Codes
    predicted: Mapping[str, Codes]
    weights: Mapping[str, bytes]


def html_page(results: Results) -> str:
    """Return the report as HTML that contains its scripts, styles and pictures; the same text for the same results."""
    board = results.leaderboard
    models = [row["model"] for row in board]
    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(percent=percent, data_uri=data_uri)
    data = {
        "classes": [*results.names],
        "models": models,
        "confusion": {name: results.confusion[name] for name in models},
        "perClass": {name: _scores(results.per_class, name) for name in models},
        "colours": net_colours(results.histories),
    }
    weights, left_out = _fitting(results.weights)
    height, width = results.images.shape[1:]
    template = partial(
        environment.get_template("page.html").render,
        style=Markup(css_variables() + (folder / "page.css").read_text(encoding="utf-8")),
        script=Markup((folder / "page.js").read_text(encoding="utf-8")),
        library=_packed(vega_library()),
        charts=_packed(_json(_charts(results))),
        data=Markup(_json_in_html(data)),
        best=board[0],
        models=models,
        table_columns=leaderboard_columns.COLUMNS,
        table_rows=[[column.text(row) for column in leaderboard_columns.COLUMNS] for row in board],
        table_notes=leaderboard_columns.notes(board, len(results.labels)),
        nets=_nets(results),
        validated=any("val_loss" in history for history in results.histories.values()),
        classes=len(results.names),
        test_images=len(results.labels),
        image={"width": width, "height": height, "tile": _scale(TILE, width), "large": _scale(LARGE, width)},
        columns=COLUMNS,
        weights=weights,
        weights_left_out=left_out,
    )
    rows = error_rows(results.labels, results.predicted, models[0])[: PIXELS // (height * width)]
    while True:
        errors = {
            "rows": rows.tolist(),
            "actual": results.labels[rows].tolist(),
            "predicted": {name: results.predicted[name][rows].tolist() for name in models},
            "columns": COLUMNS,
        }
        packed = _packed(_json(errors))
        picture = data_uri(sprite(results.images[rows])) if len(rows) else ""
        page = template(errors=packed, sprite=picture, sprite_rows=-(-len(rows) // COLUMNS))
        too_many = (len(page.encode()) - LIMIT) / (len(packed) + len(picture))
        if too_many < 0 or not len(rows):
            return page
        # The images differ in how well they are compressed: rather one too few.
        rows = rows[: int(len(rows) * 0.98 * max(1 - too_many, 0))]


def markdown_page(leaderboard: str, pictures: Mapping[str, Iterable[str]]) -> str:
    """Return the report as Markdown.

    Parameters
    ----------
    leaderboard : str
        The table, as stage evaluate writes it.
    pictures : mapping of str to iterable of str
        Model, the best first -> names of its pictures: "curves", "confusion", "weights.LAYER".
    """
    lines = [
        "# Results of the models",
        "",
        "[index.html](index.html) is this page with interactive charts; download it and open it in a browser.",
        "",
        "## Leaderboard",
        "",
        "![Test accuracy of every model with its 95 % interval](pictures/overview/leaderboard.png)",
        "",
        leaderboard.strip(),
        "",
        "## Errors",
        "",
        "![The most confident errors of the best model](pictures/overview/errors.png)",
    ]
    titles = {
        "curves": ("Learning curves", "Accuracy and loss of {} after each epoch"),
        "confusion": ("Confusion matrices", "Confusion matrix of {}"),
        "weights": ("Weights", "Weights of {}, blue negative, red positive"),
    }
    for kind, (title, alt) in titles.items():
        shown = [
            (".".join([model, *name.split(".")[1:]]), f"pictures/models/{model}/{name}.png")
            for model, names in pictures.items()
            for name in sorted(names)
            if name.partition(".")[0] == kind
        ]
        if kind == "curves" and shown:
            shown.insert(0, ("all nets", "pictures/overview/all-nets.png"))
        if shown:
            lines += ["", f"## {title}"]
        for what, path in shown:
            lines += ["", f"![{alt.format(what)}]({path})"]
    return "\n".join(lines) + "\n"


def data_uri(png: bytes) -> str:
    """Return a PNG as a data URI."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _charts(results: Results) -> dict[str, dict[str, Any]]:
    models = [row["model"] for row in results.leaderboard]
    charts = {
        "leaderboard": leaderboard_chart(results.leaderboard, results.histories),
        "classes": classes_chart(results.per_class, results.names, models),
    }
    if results.histories:
        charts |= {measure: curves_chart(results.histories, results.kept, measure) for measure in MEASURES}
    return {name: compile_chart(chart) for name, chart in charts.items()}


def _nets(results: Results) -> list[dict[Any, Any]]:
    """Return the rows of the table below the learning curves: each net at the epoch that was kept."""
    colours = net_colours(results.histories)
    nets: list[dict[Any, Any]] = []
    for name, history in results.histories.items():
        kept = history[history["epoch"] == results.kept[name]].iloc[0]
        row = {"name": name, "colour": colours[name], "epochs": len(history), "kept": results.kept[name]}
        nets.append(row | kept.drop("epoch").to_dict())
    return nets


def _scores(per_class: pd.DataFrame, model: str) -> list[list[float]]:
    return per_class.loc[per_class["model"] == model, ["precision", "recall", "f1", "support"]].to_numpy().tolist()


def _fitting(weights: Mapping[str, bytes]) -> tuple[list[Picture], list[Picture]]:
    """Divide pictures into those that the page shows, of up to `WEIGHTS` bytes, and those that it leaves out."""
    shown: list[Picture] = []
    left_out: list[Picture] = []
    room = WEIGHTS
    for name, png in weights.items():
        model, _, layer = name.partition(".")
        fits = len(png) <= room
        (shown if fits else left_out).append((model, layer, png))
        room -= len(png) * fits
    return shown, left_out


def _scale(size: int, pixels: int) -> float:
    """Return how large a pixel is drawn, a whole number where an image is smaller than `size`."""
    return max(round(size / pixels), 1) if pixels <= size else round(size / pixels, 3)


def _packed(text: str) -> str:
    """Compress a text for the script of the page."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _json_in_html(content: Any) -> str:
    # A "<" might end the element that contains the JSON.
    return _json(content).replace("<", "\\u003c")
