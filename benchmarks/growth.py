"""A chart of how the cost of each model grows with the number of training rows."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from stages.shared.charts.axes import LOSSES, choose_ticks, log_domain
from stages.shared.charts.data import inline_data
from stages.shared.charts.style import series

TITLE, NOTE = "Cost against the number of training digits", "the exponent p of seconds = c · rows^p"


def exponent(rows: Sequence[int], seconds: Sequence[float]) -> float:
    """Return p of the power law seconds = c * rows ** p, fitted by least squares in logarithms.

    Parameters
    ----------
    rows, seconds : sequence of positive numbers
        Of the same length, with at least two different numbers of rows.
    """
    return float(np.polyfit(np.log(rows), np.log(seconds), 1)[0])


def growth_chart(models: Mapping[str, Mapping[int, float]], nets: Sequence[str]) -> alt.HConcatChart:
    """Declare a chart of seconds against training rows, both logarithmic, with the fitted exponent of each model.

    Parameters
    ----------
    models : mapping of str to mapping of int to float
        Model -> number of rows -> seconds.
    nets : sequence of str
        The models that are nets. They have a panel of their own, because their seconds are those of one epoch.
    """
    panels = {
        "seconds: fit, and predict 14,000": [name for name in models if name not in nets],
        "seconds: one epoch": [name for name in models if name in nets],
    }
    charts = [
        _panel(title, {name: models[name] for name in sorted(names, key=lambda name: -max(models[name].values()))})
        for title, names in panels.items()
        if names
    ]
    return alt.hconcat(*charts, spacing=36).resolve_scale(color="independent")


def _panel(title: str, models: Mapping[str, Mapping[int, float]]) -> alt.LayerChart:
    labels = {name: f"{name}, p = {exponent([*of], [*of.values()]):.2f}" for name, of in models.items()}
    points = pd.DataFrame(
        [
            {"model": labels[name], "rows": rows, "seconds": seconds}
            for name, of in models.items()
            for rows, seconds in sorted(of.items())
        ]
    )
    domain = log_domain(points["seconds"].min(), points["seconds"].max())
    base = alt.Chart(inline_data(points)).encode(
        alt.X(
            "rows:Q",
            scale=alt.Scale(type="log", nice=False, padding=10),
            axis=alt.Axis(title="training digits", values=sorted(set(points["rows"])), format=","),
        ),
        alt.Y(
            "seconds:Q",
            scale=alt.Scale(type="log", domain=domain, nice=False),
            axis=alt.Axis(title=title, values=choose_ticks(domain[0], domain[1], LOSSES), format="~g"),
        ),
        color=alt.Color(
            "model:N",
            scale=alt.Scale(domain=[*labels.values()], range=series(len(labels))),
            legend=alt.Legend(title=None, orient="bottom", columns=2, symbolType="stroke", symbolStrokeWidth=3),
        ),
    )
    lines, dots = base.mark_line(strokeWidth=2.2), base.mark_circle(size=50, opacity=1)
    return alt.LayerChart(layer=[lines, dots], width=300, height=260)
