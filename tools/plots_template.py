"""Writes the HTML template of `dvc plots show` and `dvc plots diff`, which contains all JavaScript.

DVC's own template loads Vega from a server. This one contains the Vega of the installed vl-convert, so it needs no
network. It is not in git, nor is the setting in .dvc/config.local: `dvc plots` fails if its template is missing.
"""

import subprocess
import sys
from pathlib import Path

import vl_convert

from stages.shared.files.whole_files import replacing
from stages.shared.process.run import run
from tools.programs import DVC

TEMPLATE = Path(".dvc/plots.html")

# DVC fills in the names in braces. It also offers `scripts`, the addresses of Vega on a server.
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
/* Charts are drawn on white, as pictures are: in dark mode and high contrast, too. */
@media screen and (prefers-color-scheme: dark) { body { background: #14171b; color: #e9ebee; } }
.vega-embed svg { forced-color-adjust: none; background: #fff; }
/* Wide plots scroll. */
body > div { overflow: auto hidden; margin-bottom: 2rem; padding-bottom: 0.5rem; max-width: 100%; vertical-align: top; }
body > div > p { font-weight: 600; break-after: avoid; }
/* Pictures, without DVC's frames: up to three revisions side by side if there is room. */
body > div[style] {
  display: flex; flex-wrap: wrap; column-gap: 1rem;
  border: 0 !important; text-align: left !important; white-space: normal !important;
}
body > div[style] > p { flex: 0 0 100%; margin-bottom: 0; }
body > div[style] > div { flex: 1 1 22rem; border: 0 !important; margin: 0 !important; }
img { max-width: 100%; height: auto; }
table { border-spacing: 15px; }
@media print {
  :root { color-scheme: light; }
  body { padding: 0; }
  body > div { overflow: visible !important; white-space: normal !important; }
  .vega-embed { display: block !important; }
  .vega-embed svg { max-width: 100%; height: auto; break-inside: avoid; }
  .vega-embed details { display: none; }
}
</style>
<script>
(() => {
LIBRARY
})();
(() => {
const embed = window.vegaEmbed;
window.vegaEmbed = (place, spec) => embed(place, spec, {
  renderer: "svg",
  // The other menu entries open an online editor.
  actions: { export: true, source: false, compiled: false, editor: false },
});
})();
</script>
</head>
<body>
{plot_divs}
<script>
// DVC puts the workspace first, which comes after the commit that it is compared with.
for (const picture of document.querySelectorAll("body > div[style] > div")) {
  if (picture.innerText.trim() === "workspace") picture.parentNode.append(picture);
}
</script>
</body>
</html>
"""


def library() -> str:
    """Return JavaScript that sets `window.vegaEmbed`, with Vega and Vega-Lite 5, the version that DVC's plots need."""
    fives = [version for version in vl_convert.get_vegalite_versions() if version.split(".")[0] == "5"]
    newest = max(fives, key=lambda version: [int(part) for part in version.split(".")])
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=newest)


def template(javascript: str) -> str:
    """Return the template with JavaScript that sets `window.vegaEmbed`."""
    # "</script" would end the element that contains the code.
    return PAGE.replace("LIBRARY", javascript.replace("</script", "<\\/script"))


def main() -> None:
    """Write the template and set it in DVC's local configuration."""
    with replacing(TEMPLATE) as temporary:
        temporary.write_text(template(library()), encoding="utf-8")
    setting = TEMPLATE.relative_to(".dvc").as_posix()
    done = subprocess.run([*DVC, "config", "--local", "plots.html_template", setting], check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    run("plots-template", main)
