"""Runs one stage in a copy of the project: `python -m cluster.machine STAGE --key KEY --snapshot FILE ...`.

With `--cache`, inputs and results are exchanged through a folder of this machine; without it, through the DVC remote.
"""

import argparse
import os
import subprocess
from pathlib import Path

from cluster import snapshot
from cluster.run_cache import keys
from stages.shared.errors import UserError
from stages.shared.process import console
from stages.shared.process.run import die_with_parent, run
from tools.programs import DVC, environment

REMARK = "machine: note: "  # begins a line that the driver repeats


def run_stage(stage: str, key: str, archive: Path, project: Path, inputs: list[str], cache: Path | None) -> None:
    """Bring a stage's inputs, run it, and hand back its results.

    Parameters
    ----------
    stage : str
        As DVC names it.
    key : str
        The key of the stage on the driver, as `run_cache.keys` returns it.
    archive : Path
        A snapshot of the driver's workspace.
    project : Path
        Folder of the copy; it stays from one stage to the next.
    inputs : list of str
        The stages whose outputs the stage reads.
    cache : Path or None
        DVC's cache of the driver; None exchanges files through the DVC remote.

    Raises
    ------
    UserError
        The machine has other versions or other inputs than the driver.
    """
    from filelock import FileLock

    project.mkdir(parents=True, exist_ok=True)
    with FileLock(project / ".cluster.lock"):  # one stage at a time in a folder
        wanted = snapshot.lay(archive, project)
        os.chdir(project)
        if remark := snapshot.compare(wanted, snapshot.environment()):
            console.say(f"{REMARK}{remark}")
        settings = ["[core]", "    no_scm = true"]
        if cache is not None:
            # Links, because every copy of the project would take as much space as the data.
            settings += ["[cache]", f"    dir = {cache}", "    type = reflink,hardlink,symlink,copy"]
        Path(".dvc/config.local").write_text("\n".join([*settings, ""]), encoding="utf-8")
        if keys([stage])[stage] != key:
            if inputs:
                _dvc("pull" if cache is None else "checkout", "--force", *inputs)
            if keys([stage])[stage] != key:
                raise UserError(
                    f"{stage}: the outputs of {', '.join(inputs)} on this machine are not those of the driver"
                )
        if cache is None:
            for unfinished in Path(".dvc/cache/runs").glob("*/*/.*.tmp"):  # from a full remote
                unfinished.unlink()
            _dvc("repro", "--pull", "--single-item", stage)  # another machine may have run it
            _dvc("push", "--run-cache", stage)
        else:
            _dvc("repro", "--single-item", stage)
        if keys([stage])[stage] != key:
            raise UserError("the inputs have changed while the stage ran")


def _dvc(*arguments: str) -> None:
    ran = subprocess.run([*DVC, *arguments], env=environment(), preexec_fn=die_with_parent)
    if ran.returncode:
        raise UserError(f"dvc {' '.join(arguments)} failed with exit code {ran.returncode}")


def main() -> None:
    """Run the stage on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage")
    parser.add_argument("--key", required=True)
    parser.add_argument("--snapshot", type=Path, required=True)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--inputs", nargs="*", default=[])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--parent", type=int, help="the process that starts this one, and with which it ends")
    options = parser.parse_args()
    die_with_parent()
    if options.parent not in (None, os.getppid()):
        raise SystemExit("machine: the worker that started this stage has ended")
    run_stage(options.stage, options.key, options.snapshot.resolve(), options.project, options.inputs, options.cache)


if __name__ == "__main__":
    run("machine", main)
