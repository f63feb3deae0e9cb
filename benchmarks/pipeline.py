"""Time and memory of whole runs of the pipeline, in a clone."""

import json
import subprocess
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.timing import timed
from stages.shared.errors import UserError
from stages.shared.files.paths import TIMINGS
from stages.shared.process.console import say
from tools.programs import DVC, environment

REPEATS = 5  # of a run that takes seconds
ONE_NET = "nets.mlp-48.layers.hidden.units=64"


def whole_runs() -> dict[str, Any]:
    """Time `dvc repro` from nothing, with nothing to do, and after a change of one net.

    Returns
    -------
    dict
        stages (number), cold_seconds, stage_seconds (stage -> seconds), stage_memory_mb (stage -> MB), no_op_seconds,
        one_net_seconds, one_net (the changed setting).

    Raises
    ------
    UserError
        A command fails.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        clone = Path(folder) / "clone"
        run_command(["git", "clone", "--quiet", str(Path.cwd()), str(clone)], Path.cwd())
        say("pipeline: cold run, in a new clone")
        _, cold = timed(lambda: run_command([*DVC, "repro"], clone))
        costs = {
            path.stem: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((clone / TIMINGS.folder).iterdir())
        }
        say("pipeline: nothing to do")
        no_op = median(timed(lambda: run_command([*DVC, "repro", "--quiet"], clone))[1] for _ in range(REPEATS))
        say("pipeline: one net changed")
        change = [*DVC, "exp", "run", "--quiet", "--set-param", ONE_NET]
        _, one_net = timed(lambda: run_command(change, clone))
    return {
        "stages": len(costs),
        "cold_seconds": cold,
        "stage_seconds": {stage: cost["seconds"] for stage, cost in costs.items()},
        "stage_memory_mb": {stage: cost["peak_memory_mb"] for stage, cost in costs.items()},
        "no_op_seconds": no_op,
        "one_net": ONE_NET,
        "one_net_seconds": one_net,
    }


def run_command(command: list[str], folder: Path) -> None:
    """Run a command in a folder; raises UserError if it fails."""
    if subprocess.run(command, cwd=folder, env=environment(), check=False).returncode:
        raise UserError(f"'{' '.join(command)}' failed: see its output above")
