"""Learning curves: accuracy and loss after each epoch, of one net or of all."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from stages.plot_weights.figures import GREY, LINE_STYLES, PALETTE, chart, house_style, shortened
from stages.plot_weights.scales import (
    ACCURACIES,
    LOSSES,
    log_limits,
    set_ticks,
    stretch,
    stretched_limits,
    unstretch,
)

TRAINING, VALIDATION = "#8c8c8c", PALETTE[0]


@house_style()
def learning_curves_figure(
    *,
    title: str,
    accuracy: NDArray[Any],
    loss: NDArray[Any],
    val_accuracy: NDArray[Any] | None = None,
    val_loss: NDArray[Any] | None = None,
    kept_epoch: int | None = None,
) -> Figure:
    """Draw the training of one net: accuracy to the left, loss to the right.

    Parameters
    ----------
    title : str
        One line.
    accuracy, loss : ndarray of float, shape (epochs,)
        On the training set, accuracy 0-1.
    val_accuracy, val_loss : ndarray of float, shape (epochs,), optional
        On the validation set.
    kept_epoch : int, optional
        The epoch, counted from 1, whose weights were kept; marked in both panels.

    Raises
    ------
    ValueError
        The arrays are not of one length, or there is no such epoch.
    """
    lengths = [len(curve) for curve in (accuracy, loss, val_accuracy, val_loss) if curve is not None]
    if len(set(lengths)) != 1 or lengths[0] == 0:
        raise ValueError(f"the curves must be of one length, at least 1, not {lengths}")
    if kept_epoch is not None:
        _check_epoch(kept_epoch, lengths[0])
    figure = chart(8.0, 3.5, title)
    left, right = figure.subplots(1, 2)
    for axes, training, validation in ((left, accuracy, val_accuracy), (right, loss, val_loss)):
        curves = [("training", training, TRAINING)]
        if validation is not None:
            curves.append(("validation", validation, VALIDATION))
        # A single epoch is no line, and a few are easier to count with dots.
        marker = "o" if len(training) <= 12 else ""
        for label, curve, colour in curves:
            _plot(axes, curve, label=label, color=colour, linewidth=1.8, marker=marker)
        if kept_epoch is not None:
            _, curve, colour = curves[-1]
            if lengths[0] > 1:
                axes.axvline(kept_epoch, color=GREY, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
            axes.plot(
                [kept_epoch],
                [curve[kept_epoch - 1]],
                "o",
                color="white",
                markeredgecolor=colour,
                markeredgewidth=1.8,
                markersize=6.5,
                label=f"kept: epoch {kept_epoch}, {curve[kept_epoch - 1]:.4f}",
            )
    _set_axes(left, right, accuracies=[accuracy, val_accuracy], losses=[loss, val_loss])
    for axes in (left, right):
        axes.legend(loc="best", frameon=True, facecolor="white", framealpha=0.9, edgecolor="none")
    return figure


@house_style()
def all_nets_figure(
    *,
    title: str,
    val_accuracy: Mapping[str, NDArray[Any]],
    val_loss: Mapping[str, NDArray[Any]],
    kept_epochs: Mapping[str, int] | None = None,
) -> Figure:
    """Draw the validation curves of all nets together, a colour a net.

    Parameters
    ----------
    title : str
        One line.
    val_accuracy, val_loss : mapping of str to ndarray of float, shape (epochs,)
        The same names, at least one; epochs may differ from net to net. The order gives the colours.
    kept_epochs : mapping of str to int, optional
        The epoch, counted from 1, whose weights were kept; marked with a dot.

    Returns
    -------
    Figure
        Its legend is in the order of the best accuracy.

    Raises
    ------
    ValueError
        There is no net, the two mappings name different ones, or a kept epoch is none of the net's.
    """
    if not val_accuracy or set(val_accuracy) != set(val_loss):
        raise ValueError(f"accuracy and loss must be of the same nets, not of {[*val_accuracy]} and {[*val_loss]}")
    kept_epochs = kept_epochs or {}
    figure = chart(9.0, 4.0, title)
    left, right = figure.subplots(1, 2)
    lines = {}
    for k, name in enumerate(val_accuracy):
        colour = PALETTE[k % len(PALETTE)]
        style = LINE_STYLES[k // len(PALETTE) % len(LINE_STYLES)]
        for axes, curve in ((left, val_accuracy[name]), (right, val_loss[name])):
            marker = "o" if len(curve) == 1 else ""
            lines[name] = _plot(axes, curve, color=colour, linestyle=style, linewidth=1.6, marker=marker)
            if name in kept_epochs:
                kept = kept_epochs[name]
                _check_epoch(kept, len(curve))
                axes.plot([kept], [curve[kept - 1]], "o", color=colour, markersize=5.5, zorder=3)
    _set_axes(left, right, accuracies=[*val_accuracy.values()], losses=[*val_loss.values()])
    best = sorted(val_accuracy, key=lambda name: -_finite([val_accuracy[name]]).max())
    figure.legend(
        [lines[name] for name in best],
        [shortened(name, 20) for name in best],
        loc="outside right center",
        title="dot: kept epoch" if kept_epochs else None,
        title_fontproperties={"size": 8},
        labelspacing=0.7,
    )
    return figure


def _check_epoch(epoch: int, epochs: int) -> None:
    if not 1 <= epoch <= epochs:
        raise ValueError(f"the kept epoch must be one of 1 to {epochs}, not {epoch}")


def _plot(axes: Axes, curve: NDArray[Any], **how: Any) -> Line2D:
    return axes.plot(np.arange(1, len(curve) + 1), curve, markersize=3.2, solid_capstyle="round", **how)[0]


def _set_axes(
    left: Axes,
    right: Axes,
    *,
    accuracies: Sequence[NDArray[Any] | None],
    losses: Sequence[NDArray[Any] | None],
) -> None:
    left.set_title("accuracy (axis stretched towards 1)")
    left.set_yscale("function", functions=(stretch, unstretch))
    left.set_ylim(stretched_limits(_finite(accuracies)))
    set_ticks(left.yaxis, ACCURACIES)
    known = _finite(losses)
    if known.min() > 0:
        # The first epoch's loss is many times the last one's.
        right.set_title("loss (logarithmic axis)")
        right.set_yscale("log")
        right.set_ylim(log_limits(known))
        set_ticks(right.yaxis, LOSSES)
    else:
        right.set_title("loss")
    epochs = max(len(curve) for curve in accuracies if curve is not None)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        # Half an epoch below 1 at most: there is no epoch 0 to give a tick to.
        room = 0.5 if epochs == 1 else min(0.02 * epochs, 0.5)
        axes.set_xlim(1 - room, epochs + max(room, 0.01 * epochs))
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        axes.grid(axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)


def _finite(curves: Sequence[NDArray[Any] | None]) -> NDArray[np.float64]:
    values = np.concatenate([np.asarray(curve, dtype=np.float64) for curve in curves if curve is not None])
    # A net that diverges has losses that are no numbers.
    values = values[np.isfinite(values)]
    return values if len(values) else np.array([0.5])
