"""Writes the page around `dvc plots show` and `dvc plots diff`, with all the JavaScript inside.

DVC's own page takes Vega from a server. This one is made from the installed vl-convert and needs no network. It is not
kept in git, and DVC is told of it in .dvc/config.local, which is not either: a setting that names a missing file would
make `dvc plots` fail before the first `make`.
"""

import subprocess
from pathlib import Path

import vl_convert

from stages.shared.files.whole_files import replacing
from stages.shared.process.run import run

TEMPLATE = Path(".dvc/plots.html")

# The names in braces are what DVC fills in; it has a third, `scripts`, for the addresses that are not wanted here.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{refresh_tag}
<title>Plots</title>
<style>
body { margin: 0 auto; max-width: 100rem; padding: 1rem; font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { body { background: #14171b; color: #e9ebee; } }
/* What is wider than the page scrolls by itself. */
body > div { overflow: auto hidden; margin-bottom: 2rem; padding-bottom: 0.5rem; max-width: 100%; vertical-align: top; }
body > div > p { font-weight: 600; }
/* Pictures, for which DVC sets frames: two revisions side by side where there is room. */
body > div[style] { border: 0 !important; text-align: left !important; }
body > div[style] > div { border: 0 !important; margin: 0 1rem 0 0 !important; vertical-align: top; }
@media (min-width: 50rem) { body > div[style] > div:not(:only-of-type) { max-width: calc(50% - 1.5rem); } }
img { max-width: 100%; height: auto; }
table { border-spacing: 15px; }
</style>
<script>
(() => {
LIBRARY
})();
(() => {
const embed = window.vegaEmbed;
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
window.vegaEmbed = (place, spec) => embed(place, spec, {
  renderer: "svg",
  // The menu's other entries open an editor on the network.
  actions: { export: true, source: false, compiled: false, editor: false },
  theme: dark ? "dark" : undefined,
  config: dark ? { background: "transparent", axis: { gridColor: "#2d333b" } } : {},
});
})();
</script>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def library() -> str:
    """Return JavaScript that sets `window.vegaEmbed`, with Vega and the Vega-Lite 5 that DVC's charts are for."""
    fives = [version for version in vl_convert.get_vegalite_versions() if version.split(".")[0] == "5"]
    newest = max(fives, key=lambda version: [int(part) for part in version.split(".")])
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=newest)


def template(javascript: str) -> str:
    """Return the page for DVC to fill in.

    Parameters
    ----------
    javascript : str
        Sets `window.vegaEmbed`.
    """
    # "</script" may only end the element that the code stands in.
    return PAGE.replace("LIBRARY", javascript.replace("</script", "<\\/script"))


def main() -> None:
    """Write the page and tell DVC of it."""
    with replacing(TEMPLATE) as temporary:
        temporary.write_text(template(library()), encoding="utf-8")
    subprocess.run(
        ["dvc", "config", "--local", "plots.html_template", TEMPLATE.relative_to(".dvc").as_posix()], check=True
    )


if __name__ == "__main__":
    run("plots-template", main)
