"""Pictures of what a layer has learned: its weights, blue below zero, white at zero, red above."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from stages.plot_weights.figures import (
    DPI,
    GREY,
    GROUND,
    HAIRLINE,
    INK,
    class_labels,
    fitted,
    house_style,
    sheet,
    text_width,
)
from stages.plot_weights.image_maps import grid, image_map
from stages.shared.params.pictures_section import MAPS_AT_MOST

WIDTH, HEIGHT = 976, 800  # pixels of the PNG that the weights fill at most, where one for each is enough
LARGEST = 12  # pixels of the PNG for one weight of a map: larger, the shape dissolves
LINE = 20  # pixels of the PNG for a line of type
BAR = 80  # pixels to the right for the colour bar and its numbers


@house_style()
def weight_map_figure(
    maps: NDArray[Any],
    *,
    title: str,
    names: Sequence[str] | None = None,
    rows_columns: tuple[int, int] | None = None,
    vmax: float | None = None,
    at_most: int = MAPS_AT_MOST,
) -> Figure:
    """Draw weights that look at pixels, one small image a unit, filter or class.

    Parameters
    ----------
    maps : ndarray, shape (n, height, width)
        Weights, as `weight_maps` returns them; n is 1 or more.
    title : str
        One line.
    names : sequence of str, optional
        The n class names, where the maps are the classes; written under each.
    rows_columns : tuple of int, optional
        The grid; `grid` chooses if not given.
    vmax : float, optional
        The colours reach from -vmax to vmax; the largest absolute weight if not given.
    at_most : int
        Only so many maps are drawn, the first; the picture says so.

    Returns
    -------
    Figure
        Its one image holds NaN between the maps, drawn light grey.

    Raises
    ------
    ValueError
        `vmax` is not positive, there are not as many names as maps, or the grid is too small.
    """
    if names is not None and len(names) != len(maps):
        raise ValueError(f"{len(maps)} maps need as many names, not {len(names)}")
    shown = maps[:at_most].astype(np.float64)
    n, height, width = shown.shape
    rows, columns = grid(n) if rows_columns is None else rows_columns
    padding = 2
    scale = _scale(rows * (height + padding) + padding, columns * (width + padding) + padding)
    if scale > 7:
        # The notebook's two pixels are a gulf where each is this large.
        padding = 1
    caption = 0 if names is None else -(-LINE // scale)  # in pixels of the maps
    cells = np.pad(shown, ((0, 0), (0, caption), (0, 0)), constant_values=np.nan)
    image = np.pad(image_map(cells, rows, columns, padding=padding, fill=np.nan), padding, constant_values=np.nan)
    limit = colour_limit(maps, vmax)
    figure, axes = sheet(
        image.shape[1] * scale,
        image.shape[0] * scale,
        title=title,
        note=f"the first {n} of {len(maps):,}" if n < len(maps) else "",
        right=BAR,
    )
    drawn = _draw(axes, image, limit)
    _colour_bar(figure, axes, drawn, limit, clipped=bool(np.any(np.abs(shown) > limit)))
    for k, name in enumerate([] if names is None else class_labels(names[:n])):
        row, column = divmod(k, columns)
        x = padding + column * (width + padding) + width / 2 - 0.5
        y = padding + row * (height + caption + padding) + height + caption / 2 - 0.5
        text, size = fitted(name, width * scale, 9.0)
        axes.text(x, y, text, size=size, ha="center", va="center")
    return figure


@house_style()
def weight_matrix_figure(
    weights: NDArray[Any],
    *,
    title: str,
    output_names: Sequence[str] | None = None,
    vmax: float | None = None,
    inputs_at_most: int = 128,
    outputs_at_most: int = 128,
) -> Figure:
    """Draw the weights of a dense layer whose inputs are no pixels: a row an output, a column an input.

    Parameters
    ----------
    weights : ndarray, shape (inputs, outputs)
        Weights as Keras keeps them.
    title : str
        One line.
    output_names : sequence of str, optional
        The class names, where the outputs are the classes.
    vmax : float, optional
        The colours reach from -vmax to vmax; the largest absolute weight if not given.
    inputs_at_most, outputs_at_most : int
        Only so many are drawn, the first; the picture says so.

    Returns
    -------
    Figure
        Its one image is `weights.T`, or the first part of it.

    Raises
    ------
    ValueError
        `vmax` is not positive, or there are not as many names as outputs.
    """
    inputs, outputs = weights.shape
    if output_names is not None and len(output_names) != outputs:
        raise ValueError(f"{outputs} outputs need as many names, not {len(output_names)}")
    image = weights[:inputs_at_most, :outputs_at_most].T.astype(np.float64)
    rows, columns = image.shape
    x_scale = max(1, min(WIDTH // columns, 2 * LINE))
    # Square cells where there are few, else rows as high as a line of type where there is room.
    y_scale = max(1, min(max(x_scale, LINE), HEIGHT // rows))
    labels = None if output_names is None else class_labels(output_names[:rows])
    limit = colour_limit(weights, vmax)
    parts = [
        f"the first {now:,} of {whole:,} {what}"
        for now, whole, what in ((rows, outputs, "outputs"), (columns, inputs, "inputs"))
        if now < whole
    ]
    widest = max(text_width(label, 8.5) for label in labels or [str(outputs)])
    figure, axes = sheet(
        columns * x_scale,
        rows * y_scale,
        title=title,
        note=", ".join(parts),
        left=int(widest) + 34,
        right=BAR,
        bottom=44,
    )
    drawn = _draw(axes, image, limit)
    _colour_bar(figure, axes, drawn, limit, clipped=bool(np.any(np.abs(image) > limit)))
    axes.set_xlabel("inputs")
    axes.set_ylabel("outputs")
    axes.set_xticks(_numbers(columns, x_scale))
    # In less than 16 pixels a row, names would overlap.
    if labels is not None and y_scale >= 16:
        axes.set_yticks(range(rows), labels)
    else:
        axes.set_yticks(_numbers(rows, y_scale))
    axes.tick_params(length=0, pad=5)
    if min(x_scale, y_scale) >= 6:
        axes.hlines(np.arange(rows + 1) - 0.5, -0.5, columns - 0.5, color=HAIRLINE, linewidth=0.5)
        axes.vlines(np.arange(columns + 1) - 0.5, -0.5, rows - 0.5, color=HAIRLINE, linewidth=0.5)
    return figure


def colour_limit(weights: NDArray[Any], vmax: float | None = None) -> float:
    """Return the weight with the strongest colour: `vmax`, else the largest absolute finite weight, else 1.

    Raises
    ------
    ValueError
        `vmax` is not a positive number.
    """
    if vmax is None:
        return float(np.abs(weights[np.isfinite(weights)]).max(initial=0.0)) or 1.0
    if not 0 < vmax < np.inf:
        raise ValueError(f"the range of colours must be a positive number, not {vmax}")
    return float(vmax)


def _scale(height: int, width: int) -> int:
    return max(1, min(WIDTH // width, HEIGHT // height, LARGEST))


def _draw(axes: Axes, image: NDArray[np.float64], limit: float) -> AxesImage:
    drawn = axes.imshow(image, cmap=_diverging(), vmin=-limit, vmax=limit, interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
    return drawn


def _diverging() -> Colormap:
    # An odd number has a middle: zero is white, and not nearly so. Few enough for a PNG with a palette.
    return matplotlib.colormaps["bwr"].resampled(129).with_extremes(bad=GROUND)


def _colour_bar(figure: Figure, axes: Axes, drawn: AxesImage, limit: float, *, clipped: bool) -> None:
    where = axes.get_position()
    pixel = 1 / (figure.get_figwidth() * DPI)
    height = min(where.height, 240 / (figure.get_figheight() * DPI))
    place = figure.add_axes((where.x1 + 14 * pixel, where.y1 - height, 10 * pixel, height))
    # Arrowheads where some weights lie beyond the range.
    bar = figure.colorbar(drawn, cax=place, extend="both" if clipped else "neither", extendfrac=0.06)
    bar.set_ticks([-limit, 0, limit], labels=[f"\N{MINUS SIGN}{limit:.3g}", "0", f"{limit:.3g}"])
    bar.ax.tick_params(length=0, pad=5, labelcolor=INK)
    bar.outline.set(edgecolor=GREY, linewidth=0.5)


def _numbers(n: int, scale: int) -> list[int]:
    # A number of three digits takes some 30 pixels.
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, n) if step * scale >= 30 or step >= n)
    return list(range(0, n, step))
