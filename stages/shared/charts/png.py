"""PNG files with the same bytes in every process, without a date or a version."""

import io
import json
from functools import cache
from pathlib import Path

import altair
import matplotlib
import vl_convert
from PIL import Image

from stages.shared.charts.style import config, with_light_colours

FONT = "DejaVu Sans"  # installed with matplotlib, so that every machine draws the same letters
DPI = 128
SCALE = 1.6  # pixels of the PNG per pixel of the chart


def chart_png(chart: altair.TopLevelMixin, title: str, note: str = "") -> bytes:
    """Draw a chart on white.

    Parameters
    ----------
    chart : altair chart
        Has a width and a height.
    title, note : str
        Two lines above the chart.
    """
    _register_font()
    specification = chart.to_dict()
    specification["title"] = {"text": title, "subtitle": note}
    specification["config"] = config(FONT)
    specification |= {"background": "white", "padding": 12}
    text = with_light_colours(json.dumps(specification, allow_nan=False))
    return image_png(Image.open(io.BytesIO(vl_convert.vegalite_to_png(text, scale=SCALE))).convert("RGB"))


def image_png(image: Image.Image) -> bytes:
    """Write an RGB image as PNG, with a palette where 256 colours are enough."""
    # Weights look like noise, which compresses only in a palette; of so few colours, none is visibly off.
    if image.getcolors(1000) is not None:
        image = image.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True, dpi=(DPI, DPI))
    return file.getvalue()


@cache
def _register_font() -> None:
    vl_convert.register_font_directory(str(Path(matplotlib.get_data_path(), "fonts", "ttf")))
