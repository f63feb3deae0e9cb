"""The figure of a study: every training as a dot, means and 95 % intervals over seeds, against a factor."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from stages.shared.charts.axes import even_ticks
from stages.shared.charts.data import inline_data
from stages.shared.charts.style import colour, series
from stages.shared.errors import UserError
from studies.settings import Figure

WIDTH, HEIGHT = 560, 300  # pixels
NUMBER = "format(datum.value, datum.value >= 1000 ? ',' : '~r')"  # of an axis, in the language of Vega


def study_figure(figure: Figure, table: pd.DataFrame, summaries: Sequence[Mapping[str, Any]]) -> alt.LayerChart:
    """Declare the figure of a study.

    Parameters
    ----------
    figure : Figure
        What is drawn.
    table : DataFrame
        One row per training, as `studies.judge.results.results_table` returns it or as read from a file.
    summaries : sequence of mapping
        As `studies.judge.results.summaries` returns them.

    Returns
    -------
    altair.LayerChart
        The measure on the vertical axis. A factor of numbers has an axis of numbers, any other one place per level.
    """
    lines = figure.lines
    means = pd.DataFrame(
        [
            {
                "x": each["levels"][figure.x],
                "line": each["levels"][lines] if lines else "",
                **{part: each[figure.y][part] for part in ("mean", "low", "high")},
            }
            for each in summaries
            if figure.y in each
        ]
    )
    if means.empty:
        raise UserError(f"the figure: no training has a {words(figure.y)}")
    means = means.fillna({"low": means["mean"], "high": means["mean"]})  # one seed has no interval
    table = table.astype("string").fillna("")
    dots = pd.DataFrame(
        {"x": table[figure.x], "line": table[lines] if lines else "", "value": pd.to_numeric(table[figure.y])}
    )
    levels = [*dict.fromkeys(dots["line"])]
    low, high = means["low"].min(), means["high"].max()
    low, high = min(low, dots["value"].min()), max(high, dots["value"].max())
    margin = 0.05 * (high - low) or 0.01
    domain = [low - margin, high + margin]
    label = "format(100 * datum.value, '.4~f') + ' %'" if figure.y.endswith("accuracy") else "datum.label"
    y_axis = alt.Axis(title=words(figure.y), values=even_ticks(*domain), labelExpr=label)
    y_scale = alt.Scale(domain=domain, nice=False, zero=False)
    x = _x(figure, [*dict.fromkeys(dots["x"])])
    if x.type == "quantitative":
        dots["x"], means["x"] = pd.to_numeric(dots["x"]), pd.to_numeric(means["x"])
    title = words(lines or "")
    colours = alt.Color(
        "line:N",
        scale=alt.Scale(domain=levels, range=series(len(levels))),
        legend=alt.Legend(title=title, symbolType="stroke", symbolStrokeWidth=3, symbolOpacity=1) if lines else None,
        sort=None,
    )
    base = alt.Chart(inline_data(means)).encode(x, color=colours)
    line = base.mark_line(strokeWidth=2.2).encode(alt.Y("mean:Q", axis=y_axis, scale=y_scale))
    intervals = base.mark_rule(strokeWidth=6, opacity=0.3, strokeCap="round").encode(alt.Y("low:Q"), alt.Y2("high:Q"))
    points = alt.Chart(inline_data(dots)).mark_circle(size=16, opacity=0.55).encode(x, alt.Y("value:Q"), color=colours)
    marks = base.mark_point(size=42, filled=True, opacity=1).encode(alt.Y("mean:Q"))
    return alt.LayerChart(layer=[intervals, line, points, marks], width=WIDTH, height=HEIGHT)


def words(name: str) -> str:
    """Return the name of a measure or of a factor in words: the last key of a setting, without underscores."""
    return name.rpartition(".")[2].replace("_", " ")


def _x(figure: Figure, levels: Sequence[str]) -> alt.X:
    values = pd.to_numeric(pd.Series(levels), errors="coerce")
    if values.isna().any():
        axis = alt.Axis(title=words(figure.x), labelAngle=0, labelColor=colour("ink"))
        return alt.X("x:N", sort=None, axis=axis, scale=alt.Scale(domain=[*levels]))
    scale = alt.Scale(type="log" if figure.log_x else "linear", nice=False, zero=False, padding=14)
    axis = alt.Axis(title=words(figure.x), values=sorted(values.unique().tolist()), grid=False, labelExpr=NUMBER)
    return alt.X("x:Q", scale=scale, axis=axis)
