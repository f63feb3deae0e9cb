"""Charts for the browser: compiled from Vega-Lite to Vega, and the JavaScript of Vega itself."""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import altair
import vl_convert

from stages.shared.charts.style import config
from stages.shared.files.paths import NamedFiles
from stages.shared.files.text_files import save_text


def compile_chart(chart: altair.TopLevelMixin) -> dict[str, Any]:
    """Return a chart as wide as its container, without legends, which the page has, as a Vega specification."""
    specification = chart.properties(
        width="container", autosize=altair.AutoSizeParams(type="fit-x", contains="padding")
    ).to_dict()
    specification["config"] = config("system-ui, sans-serif")
    vega: dict[str, Any] = vl_convert.vegalite_to_vega(json.dumps(specification, allow_nan=False))
    vega.pop("legends", None)
    return vega


# The modules of Vega that the charts need, with the versions that vl-convert 1.9 has: three fourths of all Vega, which
# also draws maps, trees and networks.
MODULES = {
    "dataflow": "6.1.0",
    "encode": "5.1.0",
    "parser": "7.1.0",
    "transforms": "5.1.0",
    "view": "6.1.0",
    "view-transforms": "5.1.0",
}
LIBRARY = """
import {{transforms}} from "{dataflow}";
import * as encode from "{encode}";
import * as transform from "{transforms}";
import * as layout from "{view-transforms}";
import {{View}} from "{view}";
import {{parse}} from "{parser}";
Object.assign(transforms, encode, transform, layout);
window.vega = {{View, parse}};
"""


# The bundle, which takes a second, of each version of vl-convert and of the code above. DVC keeps its own caches here.
BUNDLES = NamedFiles(Path(".dvc/tmp/vega"), ".js")


def vega_library() -> str:
    """Return the JavaScript of Vega, which sets `window.vega` and loads nothing."""
    # The addresses are the names of modules within the package: nothing is downloaded.
    addresses = {name: f"https://cdn.jsdelivr.net/npm/vega-{name}@{release}/+esm" for name, release in MODULES.items()}
    code = LIBRARY.format(**addresses)
    path = BUNDLES.path(hashlib.sha256(f"{version('vl-convert-python')} {code}".encode()).hexdigest())
    if not path.is_file():
        # In a function, so that its many short names are not global.
        save_text(path, f"(() => {{{vl_convert.javascript_bundle(code)}}})();")
    return path.read_text(encoding="utf-8")
