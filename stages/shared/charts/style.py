"""Colours and configuration of the charts, for the page and for PNG files.

A chart names its colours as CSS variables, `var(--ink)`: the page defines them for light and dark, and a PNG takes the
light ones.
"""

import re
from collections.abc import Collection
from typing import Any

SERIES = 8  # colours for the categories of a chart, series-0 and so on
# Name -> colour in light and in dark.
COLOURS = {
    "ground": ("#ffffff", "#14171b"),
    "raised": ("#f4f5f7", "#1f242a"),
    "ink": ("#1b1f24", "#e9ebee"),
    "quiet": ("#59626e", "#a4adb9"),
    "line": ("#e2e5e9", "#2d333b"),
    "edge": ("#858e9a", "#77818e"),
    "accent": ("#0b5fa5", "#6cb6ff"),
    "wrong": ("#b3261e", "#ff8a7a"),
    "right": ("#17714a", "#5fcf98"),
    "others": ("#a3acb8", "#626c79"),
    "series-0": ("#0072b2", "#4fa8e8"),
    "series-1": ("#c85200", "#f58a3c"),
    "series-2": ("#007d5c", "#35bd93"),
    "series-3": ("#ad4487", "#e58bc1"),
    "series-4": ("#6a51c7", "#a594f9"),
    "series-5": ("#8a6d00", "#d9b530"),
    "series-6": ("#b3261e", "#ff8a7a"),
    "series-7": ("#4f5763", "#b4bcc7"),
}


def colour(name: str) -> str:
    """Return a colour of `COLOURS` as a CSS variable.

    Raises
    ------
    KeyError
        There is no such colour.
    """
    COLOURS[name]
    return f"var(--{name})"


def series(n: int) -> list[str]:
    """Return the colours of `n` categories; they repeat after `SERIES`."""
    return [colour(f"series-{k % SERIES}") for k in range(n)]


def net_colours(nets: Collection[str]) -> dict[str, str]:
    """Return the colour of each net, on the page and in pictures.

    By name, not by rank: a net keeps its colour when another overtakes it.
    """
    return dict(zip(sorted(nets), series(len(nets)), strict=True))


def css_variables() -> str:
    """Return style rules that define the colours, for light and print, and for dark screens."""
    light, dark = (" ".join(f"--{name}: {pair[k]};" for name, pair in COLOURS.items()) for k in (0, 1))
    return f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"


def with_light_colours(text: str) -> str:
    """Replace CSS variables in a text by the colours for light."""
    return re.sub(r"var\(--([\w-]+)\)", lambda found: COLOURS[found[1]][0], text)


def config(font: str) -> dict[str, Any]:
    """Return the Vega-Lite configuration of all charts, in a CSS font family."""
    return {
        "background": None,
        "font": font,
        "view": {"stroke": None},
        "axis": {
            "domain": False,
            "ticks": False,
            "gridColor": colour("line"),
            "labelColor": colour("quiet"),
            "labelFontSize": 12,
            "labelPadding": 8,
            "titleColor": colour("quiet"),
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "titlePadding": 12,
        },
        "axisY": {"titleAlign": "left", "titleAngle": 0, "titleAnchor": "start", "titleX": 0, "titleY": -14},
        "legend": {
            "labelColor": colour("ink"),
            "labelFontSize": 12,
            "titleColor": colour("quiet"),
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "rowPadding": 6,
            "layout": {"top": {"anchor": "end"}},
        },
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "color": colour("ink"),
            "fontSize": 16,
            "offset": 24,
            "subtitleColor": colour("quiet"),
            "subtitleFontSize": 12,
            "subtitlePadding": 6,
        },
    }
