"""The test accuracies of all models in one chart."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from stages.shared.charts.axes import (
    ACCURACIES,
    BEYOND_ONE,
    choose_ticks,
    even_ticks,
    log_domain,
    stretched,
    unstretched,
)
from stages.shared.charts.data import inline_data
from stages.shared.charts.number_format import percent
from stages.shared.charts.style import colour, net_colours

# Spread of the accuracies above which the good models would overlap on a linear axis.
TOO_WIDE = 0.25
NARROWEST = 0.01  # range of the linear axis, so that the interval of a single model does not fill it


def leaderboard_chart(board: Sequence[Mapping[str, Any]], nets: Collection[str]) -> alt.LayerChart:
    """Declare a chart with one dot and one interval per model, the first at the top.

    Parameters
    ----------
    board : sequence of mapping
        One row per model, at least one: `model`, `test_accuracy`, and the ends of its 95 % interval,
        `test_accuracy_low` and `test_accuracy_high`, 0-1.
    nets : collection of str
        The models that are neural nets, drawn in the colours of their curves; the others are baselines, drawn in grey.

    Returns
    -------
    altair.LayerChart
        The axis is linear, or stretched towards 1 where the models are far apart.
    """
    values = pd.DataFrame(
        {
            "model": [row["model"] for row in board],
            "kind": ["neural net" if row["model"] in nets else "baseline" for row in board],
            "value": [percent(row["test_accuracy"]) for row in board],
            "interval": [
                f"{percent(row['test_accuracy_low'])} – {percent(row['test_accuracy_high'])}" for row in board
            ],
        }
    )
    low = min(row["test_accuracy_low"] for row in board)
    high = max(row["test_accuracy_high"] for row in board)
    wide = high - low > TOO_WIDE
    for column in ("test_accuracy", "test_accuracy_low", "test_accuracy_high"):
        values[column] = [stretched(row[column]) if wide else row[column] for row in board]
    if wide:
        axis, scale = stretched_axis("test accuracy", low, high)
    else:
        axis, scale = _linear_axis(low, high)

    x = alt.X("test_accuracy_low:Q", axis=axis, scale=scale)
    colours = dict.fromkeys((row["model"] for row in board), colour("edge")) | net_colours(nets)
    names = alt.Axis(labelColor=colour("ink"), labelFontSize=13, labelLimit=130)
    base = alt.Chart(inline_data(values)).encode(
        alt.Y("model:N", sort=None, title=None, axis=names),
        color=alt.Color("model:N", scale=alt.Scale(domain=[*colours], range=[*colours.values()]), legend=None),
        tooltip=[
            alt.Tooltip("model:N", title="model"),
            alt.Tooltip("kind:N", title="kind"),
            alt.Tooltip("value:N", title="test accuracy"),
            alt.Tooltip("interval:N", title="95 % interval"),
        ],
    )
    intervals = base.mark_rule(strokeWidth=8, strokeCap="round", opacity=0.35).encode(x, x2="test_accuracy_high:Q")
    dots = base.mark_circle(size=90, opacity=1).encode(x=alt.X("test_accuracy:Q"))
    texts = base.mark_text(align="right", fontSize=13, fontWeight=600, fill=colour("ink")).encode(
        text="value:N", x=alt.value(alt.ExprRef("width + 64"))
    )
    return alt.LayerChart(
        layer=[intervals, dots, texts],
        height=alt.Step(34),
        description="Test accuracy of each model with its 95 % interval",
    )


def stretched_axis(title: str, low: float, high: float) -> tuple[alt.Axis, alt.Scale]:
    """Declare an axis for accuracies from `low` to `high` that were mapped by `stretched`."""
    domain = log_domain(stretched(low), stretched(high))
    ticks = choose_ticks(unstretched(domain[0]), min(unstretched(domain[1]), 1.0), ACCURACIES)
    axis = alt.Axis(
        title=f"{title} (axis stretched towards 100 %)",
        values=[stretched(tick) for tick in ticks],
        labelExpr=f"format(100 * ({1 + BEYOND_ONE} - 1 / datum.value), '.3~f') + ' %'",
    )
    return axis, alt.Scale(type="log", domain=domain, nice=False)


def _linear_axis(low: float, high: float) -> tuple[alt.Axis, alt.Scale]:
    margin = max(0.04 * (high - low), (NARROWEST - (high - low)) / 2)
    domain = [low - margin, high + margin]
    axis = alt.Axis(
        title="test accuracy", values=even_ticks(*domain), labelExpr="format(100 * datum.value, '.3~f') + ' %'"
    )
    return axis, alt.Scale(domain=domain, nice=False, zero=False)
