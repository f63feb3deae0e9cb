"""The report's charts as Vega-Lite specifications, and their translation for the browser.

Colours are the names of CSS variables: page.css says what they are, in light and in dark.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
import vl_convert
from numpy.typing import NDArray

Spec = dict[str, Any]
Measure = Literal["accuracy", "loss"]

SERIES = 8  # colours of page.css, --series-0 and so on
# Between the worst and the best model: on an even axis, the good ones would lie on top of each other.
TOO_WIDE = 0.25
# How far above 1 a stretched accuracy axis would become infinitely long; 1 itself is to be on it.
BEYOND_ONE = 0.002
# Wanted ticks of a stretched axis, the finer ones where fewer than four of the coarse are in view.
ACCURACIES = (
    (0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 1),
    (0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.97, 0.98, 0.985, 0.99, 0.992, 0.995, 0.998, 1),
)
# Up to so many epochs each is a dot: a few are easier to count, and a single one is no line.
DOTS_UP_TO = 12

_SETS = ("validation", "training")
_CONFIG: Spec = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domain": False,
        "ticks": False,
        "gridColor": "var(--line)",
        "labelColor": "var(--quiet)",
        "labelFontSize": 12,
        "labelPadding": 8,
        "titleColor": "var(--quiet)",
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 12,
    },
    "axisY": {"titleAlign": "left", "titleAngle": 0, "titleAnchor": "start", "titleX": 0, "titleY": -14},
}


def leaderboard_chart(
    names: Sequence[str], accuracy: NDArray[Any], low: NDArray[Any], high: NDArray[Any], kinds: Sequence[str]
) -> Spec:
    """Specify a dot and an interval a model, the first at the top.

    Parameters
    ----------
    names : sequence of str
        The models, one or more.
    accuracy, low, high : ndarray of float, shape (models,)
        Test accuracy and the ends of its 95 % interval, 0-1.
    kinds : sequence of str, shape (models,)
        "neural net" or "baseline".

    Returns
    -------
    dict
        A Vega-Lite specification; the axis is even, or stretched towards 1 where the models are far apart.
    """
    values = pd.DataFrame({"model": names, "kind": kinds, "accuracy": accuracy, "low": low, "high": high})
    values["interval"] = [f"{percent(a)} – {percent(b)}" for a, b in zip(low, high, strict=True)]
    values["value"] = [percent(share) for share in accuracy]
    wide = float(np.max(high) - np.min(low)) > TOO_WIDE
    for column in ("accuracy", "low", "high"):
        values[f"{column}_at"] = stretched(values[column]) if wide else values[column]
    x: Spec = {
        "type": "quantitative",
        "axis": _stretched_axis("test accuracy, stretched towards 100 %") if wide else _even_axis("test accuracy"),
        "scale": {"type": "log" if wide else "linear", "zero": False, "nice": False, "padding": 10},
    }
    if wide:
        x["axis"] |= _ticks_between(float(np.min(low)), float(np.max(high)))
    y: Spec = {"field": "model", "type": "nominal", "sort": None, "title": None}
    y["axis"] = {"labelColor": "var(--ink)", "labelFontSize": 13, "labelLimit": 130, "grid": False}
    colour = {
        "field": "kind",
        "scale": {"domain": ["neural net", "baseline"], "range": ["var(--series-0)", "var(--series-1)"]},
        "legend": None,
    }
    tooltip = [
        {"field": "model", "title": "model"},
        {"field": "value", "title": "test accuracy"},
        {"field": "interval", "title": "95 % interval"},
    ]
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "strokeWidth": 8, "strokeCap": "round", "opacity": 0.35},
            "encoding": {"x": {**x, "field": "low_at"}, "x2": {"field": "high_at"}, "color": colour},
        },
        {
            "mark": {"type": "circle", "size": 90, "opacity": 1},
            "encoding": {"x": {**x, "field": "accuracy_at"}, "color": colour},
        },
        {
            "mark": {"type": "text", "align": "right", "fontSize": 13, "fontWeight": 600, "fill": "var(--ink)"},
            "encoding": {"text": {"field": "value"}, "x": {"value": {"expr": "width + 64"}}},
        },
    ]
    return _chart(
        "Test accuracy of each model with its 95 % interval",
        height={"step": 34},
        encoding={"y": y, "tooltip": tooltip},
        layer=layers,
        data={"values": _records(values)},
    )


def curves_chart(histories: Mapping[str, pd.DataFrame], kept: Mapping[str, int], measure: Measure) -> Spec:
    """Specify the learning curves of all nets: a colour a net, validation as lines and training dashed.

    Parameters
    ----------
    histories : mapping of str to DataFrame
        Net -> columns epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss.
        The order gives the colours.
    kept : mapping of str to int
        Net -> the epoch whose weights were kept, which gets a ring.
    measure : {"accuracy", "loss"}
        What is drawn, on a stretched or a logarithmic axis.

    Returns
    -------
    dict
        A Vega-Lite specification with the parameters `nets` and `sets`, lists of what is shown. Its axes are of all
        curves, so that they stay where they are when some are hidden.
    """
    points = _curve_points(histories, kept, measure)
    longest = int(points["epoch"].max()) if len(points) else 1
    if measure == "accuracy":
        points["at"], y_axis = stretched(points["value"]), _stretched_axis("accuracy, stretched towards 100 %")
        if len(points):
            y_axis |= _ticks_between(points["value"].min(), points["value"].max())
    else:
        # A logarithm has no place for 0, which six decimals may round to.
        points["at"] = points["value"].clip(lower=1e-6)
        y_axis = {"title": "loss, logarithmic", "tickCount": 6, "format": "~g"}
    y: Spec = {"field": "at", "type": "quantitative", "axis": y_axis}
    y["scale"] = {"type": "log", "nice": False, "padding": 8}
    if len(points):
        y["scale"]["domain"] = _widened(points["at"].min(), points["at"].max())
    x = {
        "field": "epoch",
        "type": "quantitative",
        "scale": {"domain": [1, max(longest, 2)], "nice": False, "padding": 10},
        "axis": {"title": "epoch", "grid": False, "format": "d", "values": _round_epochs(longest)},
    }
    colours = [f"var(--series-{k % SERIES})" for k in range(len(histories))]
    colour = {"field": "net", "scale": {"domain": [*histories], "range": colours}, "legend": None}
    dash = {"field": "set", "legend": None, "scale": {"domain": [*_SETS], "range": [[1, 0], [2, 4]]}}
    width = {"field": "set", "legend": None, "scale": {"domain": [*_SETS], "range": [2.2, 1.6]}, "type": "nominal"}
    tooltip = [
        {"field": "net", "title": "net"},
        {"field": "epoch", "title": "epoch", "type": "quantitative"},
        {"field": "label", "title": measure},
        {"field": "set", "title": "measured on"},
        {"field": "note", "title": "weights"},
    ]
    layers: list[Spec] = [
        {
            "mark": {"type": "line", "strokeCap": "round", "strokeJoin": "round"},
            "encoding": {"strokeDash": dash, "strokeWidth": width},
        },
        {
            "transform": [{"filter": "datum.ring"}],
            "mark": {"type": "point", "size": 80, "fill": "var(--ground)", "strokeWidth": 2.2, "opacity": 1},
        },
        {
            # Large and unseen: what a pointer or a finger hits.
            "mark": {"type": "circle", "size": 150, "opacity": 0},
            "encoding": {"tooltip": tooltip},
        },
    ]
    if longest <= DOTS_UP_TO:
        layers.insert(1, {"mark": {"type": "circle", "size": 26, "opacity": 1}})
    return _chart(
        f"Learning curves of the nets: {measure} after each epoch",
        height=360,
        params=[{"name": "nets", "value": [*histories]}, {"name": "sets", "value": [*_SETS]}],
        transform=[{"filter": "indexof(nets, datum.net) >= 0 && indexof(sets, datum.set) >= 0"}],
        encoding={"x": x, "y": y, "color": colour},
        layer=layers,
        data={"values": _records(points)},
    )


def classes_chart(per_class: pd.DataFrame, names: Sequence[str], models: Sequence[str]) -> Spec:
    """Specify how well each class is recognised: a row a class, a dot a model, one of them picked out.

    Parameters
    ----------
    per_class : DataFrame
        Columns model, class, precision, recall, f1 (0-1).
    names : sequence of str
        Class names in the order of their codes.
    models : sequence of str
        The first is picked out to begin with.

    Returns
    -------
    dict
        A Vega-Lite specification with the parameters `model` and `measure` ("precision", "recall" or "f1").
    """
    values = per_class[["model", "class", "precision", "recall", "f1"]]
    lowest = float(values[["precision", "recall", "f1"]].to_numpy().min())
    y: Spec = {"field": "class", "type": "nominal", "sort": [*names], "title": None}
    y["axis"] = {"labelColor": "var(--ink)", "labelFontSize": 13, "labelLimit": 110, "grid": True}
    x = {
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [float(np.floor(lowest * 20)) / 20, 1], "nice": False, "padding": 8},
        "axis": {**_even_axis(None), "tickCount": 5},
    }
    tooltip = [
        {"field": "model", "title": "model"},
        {"field": "class", "title": "class"},
        {"field": "precision", "format": ".4f", "title": "precision"},
        {"field": "recall", "format": ".4f", "title": "recall"},
        {"field": "f1", "format": ".4f", "title": "F1"},
    ]
    return _chart(
        "Precision, recall or F1 of each class, the chosen model among all others",
        height={"step": 26},
        params=[{"name": "model", "value": models[0]}, {"name": "measure", "value": "f1"}],
        transform=[{"calculate": "datum[measure]", "as": "value"}],
        encoding={"x": x, "y": y, "tooltip": tooltip},
        layer=[
            {
                "transform": [{"filter": "datum.model != model"}],
                "mark": {"type": "circle", "size": 45, "color": "var(--others)", "opacity": 1},
            },
            {
                "transform": [{"filter": "datum.model == model"}],
                "mark": {"type": "circle", "size": 110, "color": "var(--series-0)", "opacity": 1},
            },
        ],
        data={"values": _records(values)},
    )


def stretched(accuracy: Any) -> Any:
    """Map accuracies to an axis that, taken logarithmically, has as much room for 0.98-0.99 as for 0.8-0.9."""
    return 1 / (1 + BEYOND_ONE - accuracy)


def percent(share: float) -> str:
    """Write a share, 0-1, as per cent with two decimals."""
    return f"{100 * share:.2f} %"


def compiled(spec: Spec) -> Spec:
    """Translate a Vega-Lite specification into the longer one that Vega alone, without Vega-Lite, can draw."""
    vega: Spec = vl_convert.vegalite_to_vega(json.dumps(spec, allow_nan=False))
    return vega


@cache
def vega_library() -> str:
    """Return the JavaScript of Vega, which sets `window.vega`; it needs nothing from elsewhere."""
    # Without Vega-Lite, which has done its work by then, a third smaller. A snippet has the name `vega` by itself, but
    # vl-convert 1.9 binds it to null. The address is the module's name within the package: nothing is fetched.
    module = f"https://cdn.jsdelivr.net/npm/vega@{vl_convert.get_vega_version()}/+esm"
    library = vl_convert.javascript_bundle(f'import {{View, parse}} from "{module}"; window.vega = {{View, parse}};')
    # Its many short names stay in a function of their own.
    return f"(() => {{{library}}})();"


def _chart(description: str, **parts: Any) -> Spec:
    return {
        "description": description,
        "width": "container",
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _CONFIG,
        **parts,
    }


def _curve_points(histories: Mapping[str, pd.DataFrame], kept: Mapping[str, int], measure: Measure) -> pd.DataFrame:
    parts = []
    for net, history in histories.items():
        columns = {"training": measure, "validation": f"val_{measure}"}
        judged = "validation" if columns["validation"] in history else "training"
        for of, column in columns.items():
            if column not in history:
                continue
            part = pd.DataFrame({"net": net, "set": of, "epoch": history["epoch"], "value": history[column]})
            part["ring"] = (part["epoch"] == kept[net]) & (of == judged)
            part["note"] = ["kept" if epoch == kept[net] else "" for epoch in part["epoch"]]
            parts.append(part)
    points = pd.concat(parts, ignore_index=True)
    # A training that went astray has epochs without a number.
    points = points[np.isfinite(points["value"])].reset_index(drop=True)
    points["label"] = [percent(value) if measure == "accuracy" else f"{value:.4f}" for value in points["value"]]
    return points


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=6))
    return records


def _even_axis(title: str | None) -> Spec:
    return {"title": title, "tickCount": 6, "labelExpr": "format(100 * datum.value, '~g') + ' %'"}


def _stretched_axis(title: str) -> Spec:
    back = f"100 * ({1 + BEYOND_ONE} - 1 / datum.value)"
    return {"title": title, "labelExpr": f"format({back}, '.3~r') + ' %'"}


def _ticks_between(low: float, high: float) -> Spec:
    coarse, fine = ([tick for tick in ticks if low <= tick <= high] for ticks in ACCURACIES)
    ticks = [float(stretched(tick)) for tick in (coarse if len(coarse) >= 4 else fine)]
    # Between accuracies that lie closer than the finest ticks, Vega finds its own.
    return {"values": ticks} if len(ticks) > 1 else {}


def _round_epochs(last: int) -> list[int]:
    step = next(step for power in range(9) for step in (10**power, 2 * 10**power, 5 * 10**power) if last / step <= 10)
    return [1, *range(step if step > 1 else 2, last + 1, step)]


def _widened(low: float, high: float) -> list[float]:
    factor = max(float(high / low) ** 0.05, 1.02)
    return [float(low / factor), float(high * factor)]
