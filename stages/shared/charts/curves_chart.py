"""Learning curves: accuracy or loss after each epoch, of one net or of several."""

from collections.abc import Mapping, Sequence
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from stages.shared.charts.axes import LOSSES, choose_ticks, epoch_ticks, log_domain, stretched
from stages.shared.charts.data import inline_data
from stages.shared.charts.leaderboard_chart import stretched_axis
from stages.shared.charts.number_format import percent
from stages.shared.charts.style import SERIES, colour, net_colours

Measure = Literal["accuracy", "loss"]

MEASURES: tuple[Measure, ...] = ("accuracy", "loss")
SETS = ("validation", "training")
# Up to this many epochs, each point is drawn: few are easier to count, and a single one makes no line.
DOTS_UP_TO = 12
LOWEST_LOSS = 1e-6  # a logarithmic axis has no 0, which six decimals may round to


def curves_chart(
    histories: Mapping[str, pd.DataFrame],
    kept: Mapping[str, int],
    measure: Measure,
    sets: Sequence[str] = SETS,
    colours: Mapping[str, str] | None = None,
) -> alt.LayerChart:
    """Declare a chart of learning curves: one colour per net, solid on the validation set, dashed on the training set.

    Parameters
    ----------
    histories : mapping of str to DataFrame
        Net -> columns epoch (from 1), accuracy, loss and, with a validation set, val_accuracy, val_loss.
    kept : mapping of str to int
        Net -> the epoch whose weights were kept, which is marked with a ring.
    measure : {"accuracy", "loss"}
        What is drawn, on a stretched or a logarithmic axis.
    sets : sequence of {"validation", "training"}
        Which curves the chart has.
    colours : mapping of str to str, optional
        Net -> its colour; by default, `net_colours`.

    Returns
    -------
    altair.LayerChart
        With the parameters `nets` and `sets`, lists of what is shown. Its axes cover all curves, so that they do not
        move when some are hidden. Its legend lists the nets by their best accuracy.
    """
    histories = dict(sorted(histories.items()))
    colours = colours or net_colours(histories)
    points = _curve_points(histories, kept, measure, sets)
    longest = int(points["epoch"].max()) if len(points) else 1
    axis, scale = _value_axis(points["value"], measure)
    points["at"] = stretched(points["value"]) if measure == "accuracy" else points["value"].clip(lower=LOWEST_LOSS)

    nets = alt.param(name="nets", value=[*histories])
    shown = alt.param(name="sets", value=[*sets])
    order = alt.Legend(values=_best_first(histories, sets), title=None, symbolType="stroke", symbolStrokeWidth=3)
    if len(sets) > 1:
        dash = alt.StrokeDash(
            "set:N",
            scale=alt.Scale(domain=[*SETS], range=[[1, 0], [2, 4]]),
            legend=alt.Legend(title=None, symbolType="stroke", symbolStrokeWidth=2.2),
        )
    else:
        # More nets than colours differ in their strokes.
        strokes = [([1, 0], [6, 3], [2, 4])[k // SERIES % 3] for k in range(len(histories))]
        dash = alt.StrokeDash("net:N", scale=alt.Scale(domain=[*histories], range=strokes), legend=order)
    base = (
        alt.Chart(inline_data(points))
        .transform_filter("indexof(nets, datum.net) >= 0 && indexof(sets, datum.set) >= 0")
        .encode(
            alt.X(
                "epoch:Q",
                scale=alt.Scale(domain=[1, max(longest, 2)], nice=False, padding=10),
                axis=alt.Axis(title="epoch", grid=False, format="d", values=epoch_ticks(longest)),
            ),
            alt.Y("at:Q", axis=axis, scale=scale),
            color=alt.Color(
                "net:N",
                scale=alt.Scale(domain=[*histories], range=[colours[net] for net in histories]),
                legend=order if len(histories) > 1 else None,
            ),
        )
    )
    lines = base.mark_line(strokeCap="round", strokeJoin="round").encode(
        strokeDash=dash,
        strokeWidth=alt.StrokeWidth("set:N", legend=None, scale=alt.Scale(domain=[*SETS], range=[2.2, 1.6])),
    )
    rings = base.transform_filter("datum.ring").mark_point(size=80, fill=colour("ground"), strokeWidth=2.2, opacity=1)
    # Large and invisible: what a pointer or a finger hits.
    targets = base.mark_circle(size=150, opacity=0).encode(
        tooltip=[
            alt.Tooltip("net:N", title="net"),
            alt.Tooltip("epoch:Q", title="epoch"),
            alt.Tooltip("label:N", title=measure),
            alt.Tooltip("set:N", title="measured on"),
            alt.Tooltip("note:N", title="weights"),
        ]
    )
    dots = [base.mark_circle(size=26, opacity=1)] if longest <= DOTS_UP_TO else []
    return alt.LayerChart(
        layer=[lines, *dots, rings, targets],
        height=360,
        description=f"Learning curves of the nets: {measure} after each epoch",
    ).add_params(nets, shown)


def net_curves_chart(history: pd.DataFrame, kept: int) -> alt.HConcatChart:
    """Declare the accuracy and the loss of one net side by side, as `curves_chart` draws them.

    Dark rather than in the net's colour, which depends on the other nets: the picture is that of this net alone.
    """
    sets = SETS if "val_loss" in history else ("training",)
    return _side_by_side({"": history}, {"": kept}, sets, width=240, colours={"": colour("ink")})


def all_nets_chart(histories: Mapping[str, pd.DataFrame], kept: Mapping[str, int]) -> alt.HConcatChart:
    """Declare accuracy and loss side by side of all nets, on the validation set, or on the training set without one."""
    validated = all("val_loss" in history for history in histories.values())
    sets = ("validation",) if validated else ("training",)
    return _side_by_side(histories, kept, sets, width=260, colours=net_colours(histories))


def _side_by_side(
    histories: Mapping[str, pd.DataFrame],
    kept: Mapping[str, int],
    sets: Sequence[str],
    width: int,
    colours: Mapping[str, str],
) -> alt.HConcatChart:
    charts = [curves_chart(histories, kept, measure, sets, colours) for measure in MEASURES]
    return alt.hconcat(*(chart.properties(width=width, height=230) for chart in charts), spacing=36)


def _curve_points(
    histories: Mapping[str, pd.DataFrame], kept: Mapping[str, int], measure: Measure, sets: Sequence[str]
) -> pd.DataFrame:
    parts = []
    columns = {"training": measure, "validation": f"val_{measure}"}
    for net, history in histories.items():
        marked = "validation" if columns["validation"] in history else "training"
        for set_name, column in columns.items():
            if column not in history or set_name not in sets:
                continue
            part = pd.DataFrame({"net": net, "set": set_name, "epoch": history["epoch"], "value": history[column]})
            part["ring"] = (part["epoch"] == kept[net]) & (set_name == marked)
            part["note"] = ["kept" if epoch == kept[net] else "" for epoch in part["epoch"]]
            parts.append(part)
    points = pd.concat(parts, ignore_index=True)
    # A diverged training has epochs whose loss is not finite.
    points = points[np.isfinite(points["value"])].reset_index(drop=True)
    points["label"] = [percent(value) if measure == "accuracy" else f"{value:.4f}" for value in points["value"]]
    return points


def _best_first(histories: Mapping[str, pd.DataFrame], sets: Sequence[str]) -> list[str]:
    column = "val_accuracy" if "validation" in sets else "accuracy"
    best = {net: history.get(column, history["accuracy"]).max() for net, history in histories.items()}
    # NaN is less than no number, and would leave the rest unsorted.
    return sorted(best, key=lambda net: -np.nan_to_num(best[net]))


def _value_axis(values: pd.Series, measure: Measure) -> tuple[alt.Axis, alt.Scale]:
    low, high = (values.min(), values.max()) if len(values) else (0.1, 1.0)
    if measure == "accuracy":
        return stretched_axis("accuracy", low, high)
    domain = log_domain(max(low, LOWEST_LOSS), max(high, LOWEST_LOSS))
    axis = alt.Axis(title="loss (logarithmic axis)", values=choose_ticks(domain[0], domain[1], LOSSES), format="~g")
    return axis, alt.Scale(type="log", domain=domain, nice=False)
