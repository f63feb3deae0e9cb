"""Pictures of weights: blue below zero, white at zero, red above."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from stages.shared.charts.image_grid import grid, image_map
from stages.shared.charts.picture_style import (
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
from stages.shared.params.pictures_section import MAPS_AT_MOST

# In pixels of the PNG:
WIDTH, HEIGHT = 976, 800  # at most, of all weights, where each has at least one pixel
LARGEST = 12  # at most, of one weight of a map; larger squares no longer look like one image
LINE = 20  # of a line of text
BAR = 80  # of the colour bar and its numbers
CELLS_AT_MOST = 128  # inputs and outputs of a weight matrix that are drawn


@house_style()
def weight_map_figure(
    maps: NDArray[Any],
    *,
    title: str,
    names: Sequence[str] | None = None,
    rows_columns: tuple[int, int] | None = None,
    vmax: float | None = None,
) -> Figure:
    """Draw weights of pixels, one small image per unit, filter or class.

    Parameters
    ----------
    maps : ndarray, shape (n, height, width)
        Weights, as `weight_maps` returns them; n is 1 or more.
    title : str
        One line.
    names : sequence of str, optional
        The n class names, if each map is a class; written below the maps.
    rows_columns : tuple of int, optional
        The grid; by default, `grid(n)`.
    vmax : float, optional
        The colours range from -vmax to vmax; by default, the largest absolute weight.

    Returns
    -------
    Figure
        Its one image is NaN between the maps, drawn light grey. Only the first `MAPS_AT_MOST` maps are drawn, and the
        note has their number.

    Raises
    ------
    ValueError
        `vmax` is not positive, or the grid is too small.
    """
    shown = maps[:MAPS_AT_MOST].astype(np.float64)
    n, height, width = shown.shape
    rows, columns = grid(n) if rows_columns is None else rows_columns
    padding = 2
    scale = _scale(rows * (height + padding) + padding, columns * (width + padding) + padding)
    if scale > 7:
        # Two pixels, as in the notebook, are too wide at this scale.
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
) -> Figure:
    """Draw the weights of a dense layer whose inputs are not pixels: one row per output, one column per input.

    Parameters
    ----------
    weights : ndarray, shape (inputs, outputs)
        Weights, as Keras stores them.
    title : str
        One line.
    output_names : sequence of str, optional
        The class names, if the outputs are the classes.
    vmax : float, optional
        The colours range from -vmax to vmax; by default, the largest absolute weight.

    Returns
    -------
    Figure
        Its one image is `weights.T`, or its first `CELLS_AT_MOST` rows and columns, and the note has their number.

    Raises
    ------
    ValueError
        `vmax` is not positive.
    """
    inputs, outputs = weights.shape
    image = weights[:CELLS_AT_MOST, :CELLS_AT_MOST].T.astype(np.float64)
    rows, columns = image.shape
    x_scale = max(1, min(WIDTH // columns, 2 * LINE))
    # Square cells if there are few, else rows as high as a line of text if they fit.
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
    # In rows of less than 16 pixels, names would overlap.
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
    """Return the weight that has the strongest colour: `vmax`, else the largest absolute finite weight, else 1.

    Raises
    ------
    ValueError
        `vmax` is not a positive number.
    """
    if vmax is None:
        return float(np.abs(weights[np.isfinite(weights)]).max(initial=0.0)) or 1.0
    if not 0 < vmax < np.inf:
        raise ValueError(f"vmax must be a positive number, not {vmax}")
    return float(vmax)


def _scale(height: int, width: int) -> int:
    return max(1, min(WIDTH // width, HEIGHT // height, LARGEST))


def _draw(axes: Axes, image: NDArray[np.float64], limit: float) -> AxesImage:
    drawn = axes.imshow(image, cmap=_diverging(), vmin=-limit, vmax=limit, interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
    return drawn


def _diverging() -> Colormap:
    # An odd number of colours has a middle, so that zero is exactly white; few enough for a PNG with a palette.
    return matplotlib.colormaps["bwr"].resampled(129).with_extremes(bad=GROUND)


def _colour_bar(figure: Figure, axes: Axes, drawn: AxesImage, limit: float, *, clipped: bool) -> None:
    where = axes.get_position()
    pixel = 1 / (figure.get_figwidth() * DPI)
    height = min(where.height, 240 / (figure.get_figheight() * DPI))
    place = figure.add_axes((where.x1 + 14 * pixel, where.y1 - height, 10 * pixel, height))
    # Arrowheads if some weights are out of range.
    bar = figure.colorbar(drawn, cax=place, extend="both" if clipped else "neither", extendfrac=0.06)
    bar.set_ticks([-limit, 0, limit], labels=[f"\N{MINUS SIGN}{limit:.3g}", "0", f"{limit:.3g}"])
    bar.ax.tick_params(length=0, pad=5, labelcolor=INK)
    bar.outline.set(edgecolor=GREY, linewidth=0.5)


def _numbers(n: int, scale: int) -> list[int]:
    # A number of three digits is about 30 pixels wide.
    step = next(step for step in (1, 2, 4, 8, 16, 32, 64, 128, n) if step * scale >= 30 or step >= n)
    return list(range(0, n, step))
