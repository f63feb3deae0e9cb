"""Charts for the browser: compiled from Vega-Lite to Vega, and the JavaScript of Vega itself."""

import json
from functools import cache
from typing import Any

import altair
import vl_convert

from stages.shared.charts.style import config


def compile_chart(chart: altair.TopLevelMixin) -> dict[str, Any]:
    """Return a chart as wide as its container, without legends, which the page has, as a Vega specification."""
    specification = chart.properties(
        width="container", autosize=altair.AutoSizeParams(type="fit-x", contains="padding")
    ).to_dict()
    specification["config"] = config("system-ui, sans-serif")
    vega: dict[str, Any] = vl_convert.vegalite_to_vega(json.dumps(specification, allow_nan=False))
    vega.pop("legends", None)
    return vega


@cache
def vega_library() -> str:
    """Return the JavaScript of Vega, which sets `window.vega` and loads nothing."""
    # Without Vega-Lite it is a third smaller. A snippet has the name `vega` by itself, but vl-convert 1.9 binds it to
    # null. The address is the name of a module within the package: nothing is downloaded.
    module = f"https://cdn.jsdelivr.net/npm/vega@{vl_convert.get_vega_version()}/+esm"
    library = vl_convert.javascript_bundle(f'import {{View, parse}} from "{module}"; window.vega = {{View, parse}};')
    # In a function, so that its many short names are not global.
    return f"(() => {{{library}}})();"
