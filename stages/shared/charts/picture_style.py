"""Style of the pictures that matplotlib draws: headings, fonts, colours, and text that fits."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from stages.shared.charts.png import DPI, FONT, image_png

MARGIN = 16  # pixels around a picture
NARROWEST = 640  # pixels of a sheet; a narrower one would make titles too small
NAME_LENGTH = 40  # at most, of a class name, in characters

INK = "#222222"
GREY = "#6b6b6b"
HAIRLINE = "#d9d9d9"
GROUND = "#e4e4e4"  # between images, and in empty cells

_STYLE: dict[Any, Any] = {
    "figure.dpi": DPI,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": [FONT],
    "font.size": 9.0,
    # A class name may contain "$"; no text is a formula.
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
    """Draw in this style whatever the user's matplotlibrc; also a decorator."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def figure_png(figure: Figure) -> bytes:
    """Draw a figure as PNG, with the same bytes in every process."""
    with house_style():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return image_png(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]))


def chart(width: float, height: float, title: str, note: str = "") -> Figure:
    """Create an empty figure with a title and matplotlib's constrained layout.

    Parameters
    ----------
    width, height : float
        Size in inches.
    title, note : str
        Two lines at the top, in smaller letters or cut where the figure is narrow.
    """
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    below = _write_heading(figure, title, note) / DPI
    layout = cast(ConstrainedLayoutEngine, figure.get_layout_engine())
    layout.set(w_pad=0.1, h_pad=0.08, rect=(0, 0, 1, 1 - below / height))
    return figure


def sheet(
    width: int, height: int, *, title: str, note: str = "", left: int = 0, right: int = 0, bottom: int = 0
) -> tuple[Figure, Axes]:
    """Create a figure around an image, so that all pixels of the image have the same size.

    Parameters
    ----------
    width, height : int
        Size of the image, in pixels of the PNG.
    title, note : str
        Two lines above the image, in smaller letters or cut where the sheet is narrow.
    left, right, bottom : int
        Space for labels around the image, in pixels.

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
    """Return class names that can be drawn: of limited length, in letters that the font has.

    Parameters
    ----------
    names : sequence of str
        Class names in the order of their codes.

    Returns
    -------
    list of str
        The names, long ones cut; "class 3" for one with letters that the font does not have.
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
    """Fit a line of text into a width: in smaller letters, then cut.

    Parameters
    ----------
    text : str
        The line.
    width : float
        Available width, in pixels of the PNG.
    size, smallest : float
        Preferred and smallest font size, in points.
    bold : bool
        Whether the letters are bold.

    Returns
    -------
    tuple of str and float
        The line and its font size.
    """
    needed = text_width(text, size, bold=bold)
    if needed <= width:
        return text, size
    size = max(smallest, size * width / needed)
    # Hinting makes small letters wider than in proportion.
    room = width * 1.02
    while size > smallest and text_width(text, size, bold=bold) > room:
        size = max(smallest, size - 0.1)
    lengths = range(1, len(text) + 1)
    length = bisect_right(lengths, room, key=lambda n: text_width(shortened(text, n), size, bold=bold))
    return shortened(text, max(length, 1)), size


def wrapped(text: str, width: float, size: float, lines: int) -> list[str]:
    """Divide a text at spaces into at most `lines` lines, each of a width in pixels of the PNG where words allow it."""
    found = [""]
    for word in text.split(" "):
        longer = f"{found[-1]} {word}" if found[-1] else word
        if found[-1] and len(found) < lines and text_width(longer, size) > width:
            found.append(word)
        else:
            found[-1] = longer
    return found


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a line of text, in pixels of the PNG."""
    font = FontProperties(family=[FONT], size=size, weight="bold" if bold else "normal")
    width, _, _ = _renderer().get_text_width_height_descent(text, font, ismath=False)
    return width


@lru_cache(maxsize=1)
def _renderer() -> RendererAgg:
    return FigureCanvasAgg(Figure(dpi=DPI)).get_renderer()
