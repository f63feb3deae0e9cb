"""What all pictures share: ground, type and colours, text that fits, and PNG files of the same bytes."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

DPI = 128  # a power of two: a size in pixels survives the way through inches exactly
MARGIN = 16  # pixels around a picture
NARROWEST = 640  # pixels of a sheet; in less, a title would be too small
FONT = "DejaVu Sans"  # comes with matplotlib, so that every machine draws the same letters
NAME_LENGTH = 22  # characters of a class name that are drawn

INK = "#222222"
GREY = "#6b6b6b"
HAIRLINE = "#d9d9d9"
GROUND = "#e4e4e4"  # between images, and where there is none
# Okabe and Ito's colours, which colour-blind readers tell apart, without the yellow that white swallows.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
LINE_STYLES = ("-", (0, (4, 1.5)), (0, (1, 1)))

_STYLE: dict[Any, Any] = {
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": [FONT],
    "font.size": 9.0,
    # A class may be called "$"; no text of ours is a formula.
    "text.parse_math": False,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "axes.edgecolor": "#8c8c8c",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 9.0,
    "axes.titlelocation": "left",
    "axes.titlecolor": GREY,
    "axes.titlepad": 8.0,
    "grid.color": HAIRLINE,
    "grid.linewidth": 0.7,
    "xtick.color": "#8c8c8c",
    "ytick.color": "#8c8c8c",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in this project's style, whatever matplotlibrc the user has; also a decorator."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG: the same bytes in every process, without date or version.

    Parameters
    ----------
    figure : Figure
        What a function of this package returned.
    path : Path
        The file; its folder is there.
    """
    with house_style():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        image = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
        # Weights look like noise, which compresses only in a palette; of so few colours, none is visibly off.
        if image.getcolors(1000) is not None:
            image = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        image.save(path, format="PNG", optimize=True, dpi=(DPI, DPI))


def chart(width: float, height: float, title: str, note: str = "") -> Figure:
    """Make an empty figure with a title, which matplotlib lays out.

    Parameters
    ----------
    width, height : float
        Size in inches.
    title, note : str
        Two lines above everything, made smaller or cut short where the figure is narrow.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    below = _write_heading(figure, title, note) / DPI
    layout = cast(ConstrainedLayoutEngine, figure.get_layout_engine())
    layout.set(w_pad=0.1, h_pad=0.08, rect=(0, 0, 1, 1 - below / height))
    return figure


def sheet(
    width: int, height: int, *, title: str, note: str = "", left: int = 0, right: int = 0, bottom: int = 0
) -> tuple[Figure, Axes]:
    """Make a figure around an image of a given size, so that each of its pixels is as large as the others.

    Parameters
    ----------
    width, height : int
        Size of the image, in pixels of the PNG.
    title, note : str
        Two lines above the image, made smaller or cut short where the sheet is narrow.
    left, right, bottom : int
        Room for labels around the image, in pixels.

    Returns
    -------
    tuple of Figure and Axes
        The axes cover the image exactly and have neither ticks nor frame.
    """
    whole_width = max(2 * MARGIN + left + width + right, NARROWEST)
    whole_height = _heading_height(note) + height + bottom + MARGIN
    figure = Figure(figsize=(whole_width / DPI, whole_height / DPI), dpi=DPI)
    _write_heading(figure, title, note)
    origin = ((MARGIN + left) / whole_width, (MARGIN + bottom) / whole_height)
    axes = figure.add_axes((*origin, width / whole_width, height / whole_height))
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return figure, axes


def _heading_height(note: str) -> int:
    return MARGIN + 30 + (24 if note else 0)


def _write_heading(figure: Figure, title: str, note: str) -> int:
    """Write title and note at the upper left; return how many pixels they take."""
    width, height = figure.get_size_inches() * DPI
    lines = ((title, 12.0, True, INK, MARGIN), (note, 9.0, False, GREY, MARGIN + 26))
    for line, points, bold, colour, y in lines:
        text, size = fitted(line, width - 2 * MARGIN, points, bold=bold)
        weight = "bold" if bold else "normal"
        place = (MARGIN / width, 1 - y / height)
        figure.text(*place, text, size=size, weight=weight, color=colour, va="top", in_layout=False)
    return _heading_height(note)


def class_labels(names: Sequence[str]) -> list[str]:
    """Make class names fit to be drawn: not endless, and only letters that the font has.

    Parameters
    ----------
    names : sequence of str
        Class names in the order of their codes.

    Returns
    -------
    list of str
        The names, long ones cut; "class 3" for one that the font cannot write.
    """
    letters = get_font(findfont(FONT)).get_charmap()
    return [
        shortened(name, NAME_LENGTH) if all(ord(letter) in letters for letter in name) else f"class {code}"
        for code, name in enumerate(names)
    ]


def shortened(text: str, length: int) -> str:
    """Cut a text to at most `length` characters, the last of them an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def fitted(text: str, width: float, size: float, *, bold: bool = False, smallest: float = 6.5) -> tuple[str, float]:
    """Make a line of text fit: smaller first, then cut short.

    Parameters
    ----------
    text : str
        The line.
    width : float
        Room, in pixels of the PNG.
    size, smallest : float
        Wanted and smallest size of the letters, in points.
    bold : bool
        Whether the letters are bold, which are wider.

    Returns
    -------
    tuple of str and float
        The line and the size to draw it in.
    """
    needed = text_width(text, size, bold=bold)
    if needed <= width:
        return text, size
    size = max(smallest, size * width / needed)
    # Hinting makes small letters wider than their share.
    room = width * 1.02
    lengths = range(1, len(text) + 1)
    length = bisect_right(lengths, room, key=lambda n: text_width(shortened(text, n), size, bold=bold))
    return shortened(text, max(length, 1)), size


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a line of text is, in pixels of the PNG."""
    font = FontProperties(family=[FONT], size=size, weight="bold" if bold else "normal")
    width, _, _ = _renderer().get_text_width_height_descent(text, font, ismath=False)
    return width


@lru_cache(maxsize=1)
def _renderer() -> RendererAgg:
    return FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()
