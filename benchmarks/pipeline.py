"""What whole runs of the pipeline cost, in a clone of their own."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from ruamel.yaml import YAML

from benchmarks.timing import stopwatch
from stages.shared.errors import UserError
from stages.shared.files.paths import TIMINGS
from stages.shared.process.console import say

REPEATS = 5  # of what takes seconds
ONE_NET = ("nets", "mlp-48", "layers", "hidden", "units")
ANOTHER = 64

EMPTY_STAGE = """\
  stage-{number}:
    cmd: touch out-{number}
    deps: [in]
    outs: [out-{number}]
"""


def whole_runs() -> dict[str, Any]:
    """Time `dvc repro` cold, with nothing to do, and with one net changed; and an empty pipeline of as many stages.

    Returns
    -------
    dict
        stages, cold_seconds, stage_seconds (stage -> seconds), stage_memory_mb (stage -> MB), no_op_seconds,
        empty_no_op_seconds, one_net_seconds, one_net (what was set).

    Raises
    ------
    UserError
        DVC fails; its output stands above.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clone = Path(folder) / "clone"
        _run(["git", "clone", "--quiet", str(Path.cwd()), str(clone)], Path.cwd())
        say("pipeline: cold run, in a fresh clone")
        cold = _seconds(["dvc", "repro"], clone)
        costs = {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((clone / TIMINGS.folder).iterdir())
        }
        say("pipeline: nothing to do")
        no_op = _median(lambda: _seconds(["dvc", "repro", "--quiet"], clone))
        say("pipeline: one net changed")
        _set(clone / "params.yaml", ONE_NET, ANOTHER)
        one_net = _seconds(["dvc", "repro", "--quiet"], clone)
        return {
            "stages": len(costs),
            "cold_seconds": cold,
            "stage_seconds": {stage: cost["seconds"] for stage, cost in costs.items()},
            "stage_memory_mb": {stage: cost["peak_memory_mb"] for stage, cost in costs.items()},
            "no_op_seconds": no_op,
            "empty_no_op_seconds": _median(empty_pipeline(Path(folder) / "empty", len(costs))),
            "one_net": f"{'.'.join(ONE_NET)}: {ANOTHER}",
            "one_net_seconds": one_net,
        }


def empty_pipeline(folder: Path, stages: int) -> Callable[[], float]:
    """Make a pipeline whose stages do nothing, run it, and return what times a rerun.

    Parameters
    ----------
    folder : Path
        Made here.
    stages : int
        How many.
    """
    folder.mkdir()
    _run(["git", "init", "--quiet"], folder)
    _run(["dvc", "init", "--quiet"], folder)
    (folder / "in").write_text("in\n", encoding="utf-8")
    stage_list = "".join(EMPTY_STAGE.format(number=number) for number in range(stages))
    (folder / "dvc.yaml").write_text(f"stages:\n{stage_list}", encoding="utf-8")
    _run(["dvc", "repro", "--quiet"], folder)
    return lambda: _seconds(["dvc", "repro", "--quiet"], folder)


def _set(file: Path, key: tuple[str, ...], value: int) -> None:
    yaml = YAML()
    content = yaml.load(file.read_text(encoding="utf-8"))
    inner = content
    for part in key[:-1]:
        inner = inner[part]
    inner[key[-1]] = value
    with file.open("w", encoding="utf-8") as opened:
        yaml.dump(content, opened)


def _median(seconds: Callable[[], float]) -> float:
    return median(seconds() for _ in range(REPEATS))


def _seconds(command: list[str], folder: Path) -> float:
    with stopwatch() as watch:
        _run(command, folder)
    return watch.seconds


def _run(command: list[str], folder: Path) -> None:
    # In a git hook, GIT_DIR and such name this repository whatever the folder.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
        raise UserError(f"'{' '.join(command)}' failed, see above")
