"""How a model's cost grows with the number of training rows, as a picture."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, StrMethodFormatter

from stages.plot_weights.figures import GREY, LINE_STYLES, PALETTE, chart, house_style


def exponent(rows: Sequence[int], seconds: Sequence[float]) -> float:
    """Return p of the power law seconds = c * rows ** p that fits best in logarithms.

    Parameters
    ----------
    rows, seconds : sequence of numbers above 0
        Of one length, two or more different numbers of rows.
    """
    return float(np.polyfit(np.log(rows), np.log(seconds), 1)[0])


@house_style()
def growth_figure(models: Mapping[str, Mapping[int, float]], nets: Sequence[str]) -> Figure:
    """Draw seconds against training rows, both in logarithms, with the fitted exponent beside each line.

    Parameters
    ----------
    models : mapping of str to mapping of int to float
        Model -> number of rows -> seconds.
    nets : sequence of str
        Which of the models are nets; the others are drawn in a panel of their own, for theirs are other seconds.
    """
    figure = chart(9.0, 4.6, "Cost against the number of training digits", "the exponent p of seconds = c · rows^p")
    parts = {
        "fit, and predict 14,000": [name for name in models if name not in nets],
        "one epoch": [name for name in models if name in nets],
    }
    parts = {label: names for label, names in parts.items() if names}
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    for axes, (label, names) in zip(panels, parts.items(), strict=True):
        sizes = sorted({rows for name in names for rows in models[name]})
        for number, name in enumerate(sorted(names, key=lambda name: -models[name][max(models[name])])):
            rows, seconds = zip(*sorted(models[name].items()), strict=True)
            axes.plot(
                rows,
                seconds,
                marker="o",
                markersize=4,
                color=PALETTE[number % len(PALETTE)],
                linestyle=LINE_STYLES[number // len(PALETTE)],
                label=f"{name}, p = {exponent(rows, seconds):.2f}",
            )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("training digits")
        axes.set_ylabel(f"seconds: {label}")
        axes.grid(axis="both")
        axes.tick_params(labelcolor=GREY)
        # Below the lines, where no line can pass through it.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=8, frameon=False)
    return figure
