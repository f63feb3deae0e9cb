"""Precision, recall or F1 of each class as a chart; the page has it alone, to choose model and measure in."""

from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from stages.shared.charts.data import inline_data
from stages.shared.charts.style import colour

MEASURES = ["precision", "recall", "f1"]


def classes_chart(per_class: pd.DataFrame, names: Sequence[str], models: Sequence[str]) -> alt.LayerChart:
    """Declare a chart with one row per class and one dot per model, one model highlighted.

    Parameters
    ----------
    per_class : DataFrame
        Columns model, class, precision, recall, f1 (0-1).
    names : sequence of str
        Class names in the order of their codes.
    models : sequence of str
        The first is highlighted initially.

    Returns
    -------
    altair.LayerChart
        With the parameters `model`, `colour`, in which that model is drawn, and `measure` ("precision", "recall" or
        "f1").
    """
    values = per_class[["model", "class", *MEASURES]]
    lowest = float(values[MEASURES].to_numpy().min())
    base = (
        alt.Chart(inline_data(values))
        .transform_calculate(value="datum[measure]")
        .encode(
            alt.X(
                "value:Q",
                scale=alt.Scale(domain=[float(np.floor(lowest * 20)) / 20, 1], nice=False, padding=8),
                axis=alt.Axis(title=None, tickCount=5, labelExpr="format(100 * datum.value, '~g') + ' %'"),
            ),
            alt.Y(
                "class:N",
                sort=[*names],
                title=None,
                axis=alt.Axis(labelColor=colour("ink"), labelFontSize=13, labelLimit=160, grid=True),
            ),
            tooltip=[
                alt.Tooltip("model:N", title="model"),
                alt.Tooltip("class:N", title="class"),
                alt.Tooltip("precision:Q", format=".4f", title="precision"),
                alt.Tooltip("recall:Q", format=".4f", title="recall"),
                alt.Tooltip("f1:Q", format=".4f", title="F1"),
            ],
        )
    )
    others = base.transform_filter("datum.model != model").mark_circle(size=45, color=colour("others"), opacity=1)
    chosen = (
        base.transform_filter("datum.model == model")
        .mark_circle(size=110, opacity=1)
        .encode(color=alt.value(alt.ExprRef("colour")))
    )
    return alt.LayerChart(
        layer=[others, chosen],
        height=alt.Step(26),
        description="Precision, recall or F1 of each class, the selected model among all others",
    ).add_params(
        alt.param(name="model", value=models[0]),
        alt.param(name="colour", value=colour("ink")),
        alt.param(name="measure", value="f1"),
    )
