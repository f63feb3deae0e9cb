"""Time from an edit to its result, in a clone with all models, as multiples of a bare import of TensorFlow.

The machine's speed and load change both alike: each run is divided by the imports just before and after it.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import mean, median
from typing import Any

from ruamel.yaml import YAML

from benchmarks.pipeline import run_command
from benchmarks.timing import timed
from stages.shared.files.paths import TIMINGS
from stages.shared.params import nets_section
from stages.shared.process.console import say
from tools.programs import DVC

REPEATS = 3  # of the runs that take seconds
IMPORT = [sys.executable, "-c", "import tensorflow"]
PICTURES = "data/examples"  # three


def edit_to_result() -> list[dict[str, Any]]:
    """Time `dvc repro` after an edit of the first net, `predict`, and `make quick`.

    Returns
    -------
    list of dict
        run, seconds and imports (medians over the repeats), and bar (the most imports that it should take).

    Raises
    ------
    UserError
        A command fails: DVC's cache lacks models of the last commit, for example.
    """
    net = next(iter(nets_section.load()))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clone = Path(folder) / "clone"
        say("edit: a clone with the models of the last commit")
        run_command(["git", "clone", "--quiet", str(Path.cwd()), str(clone)], Path.cwd())
        # A local remote has the layout of a cache. The clone's own cache keeps what these runs write.
        cache = str(Path(".dvc/cache").resolve())
        run_command([*DVC, "remote", "add", "--quiet", "--local", "--default", "here", cache], clone)
        run_command([*DVC, "pull", "--quiet"], clone)
        run_command([*DVC, "repro", "--quiet"], clone)
        predict = [sys.executable, "-m", "inference.predict", net, PICTURES]
        quick = [sys.executable, "-m", "tools.quick"]
        return [
            _row(
                f"`dvc repro` after an edit of {net}, without its training",
                3,
                [partial(_edit, clone, net, epochs) for epochs in range(1, REPEATS + 1)],
                clone,
            ),
            _row(f"`predict {net}` of three pictures", 1.5, REPEATS * [partial(_seconds, predict, clone)], clone),
            _row("`make quick`", 20, [partial(_seconds, quick, clone)], clone),
        ]


def _row(name: str, bar: float, runs: Sequence[Callable[[], float]], clone: Path) -> dict[str, Any]:
    say(f"edit: {name}")
    imports, seconds = [_seconds(IMPORT, clone)], []
    for run in runs:
        seconds.append(run())
        imports.append(_seconds(IMPORT, clone))
    ratios = [each / mean(imports[k : k + 2]) for k, each in enumerate(seconds)]
    return {"run": name, "seconds": median(seconds), "imports": median(ratios), "bar": bar}


def _edit(clone: Path, net: str, epochs: int) -> float:
    """Edit a net's epochs and run `dvc repro`; return its seconds without those of the training stage."""
    yaml, params = YAML(), clone / "params.yaml"
    declared = yaml.load(params)
    declared["nets"][net]["epochs"] = epochs
    yaml.dump(declared, params)
    seconds = _seconds([*DVC, "repro"], clone)
    timing = json.loads((clone / TIMINGS.path(f"train-nets@{net}")).read_text(encoding="utf-8"))
    return seconds - float(timing["seconds"])


def _seconds(command: list[str], folder: Path) -> float:
    return timed(lambda: run_command(command, folder))[1]
