"""Runs the pipeline, independent stages at the same time: `make repro AT_ONCE=4`, `make repro SCHEDULER=tcp://...`.

The stages run in copies of the workspace. DVC's run cache then has their results, and `dvc repro` takes them from it,
as it does after a serial run.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from cluster import plan, require_dask
from stages.shared.errors import UserError
from stages.shared.files.text_files import save_text
from stages.shared.params import training_section
from stages.shared.process.console import say
from stages.shared.process.run import run
from tools.programs import DVC, environment

FOLDER = Path(".dvc/tmp/cluster")


def run_group(stages: list[str], inputs: dict[str, list[str]], scheduler: str | None, at_once: int | None) -> None:
    """Run stages at the same time; DVC's run cache has their results then.

    Parameters
    ----------
    stages : list of str
        In the order in which they start.
    inputs : dict of str to list of str
        Stage -> the stages whose outputs it reads.
    scheduler : str or None
        Address of a Dask scheduler; results come through the DVC remote. None starts a worker on this machine.
    at_once : int or None
        Their number.

    Raises
    ------
    UserError
        A stage failed; the others have run all the same.
    """
    from cluster import on_dask, snapshot
    from cluster.machine import REMARK
    from cluster.run_cache import has, keys

    failed: list[str] = []
    left = {*stages}

    def ended(stage: str, how: on_dask.Ended) -> None:
        left.discard(stage)
        if how.code:
            failed.append(stage)
            say(f"{stage} failed{f' on {how.machine}' if how.machine else ''}, {len(left)} left:\n{how.output}")
            return
        if how.timing:
            save_text(plan.timing(stage), how.timing)
        for line in how.output.splitlines():
            if line.startswith(REMARK):
                say(f"{stage}: {line.removeprefix(REMARK)}")
        say(f"{stage}: done in {how.seconds:.1f} s on {how.machine}, {len(left)} left")

    cache = Path(plan.dvc("cache", "dir").strip()).resolve()
    before = sorted({name for names in inputs.values() for name in names})
    if scheduler:
        plan.dvc("push", "--run-cache", *before)
    found = keys(stages)
    jobs = {
        stage: on_dask.Job(key, inputs[stage], str(plan.timing(stage))) for stage in stages if (key := found[stage])
    }
    archive = snapshot.write(FOLDER)
    exchanged = None if scheduler else cache
    with on_dask.connect(scheduler, min(at_once or 1, len(stages)), FOLDER) as client:
        on_dask.run_stages(client, archive, jobs, exchanged, lambda stage: say(f"{stage}: started"), ended)
    if scheduler:
        plan.dvc("fetch", "--run-cache", *before)
    for stage in {*jobs} - {*failed}:
        if not has(cache, jobs[stage].key):
            failed.append(stage)
            say(f"{stage}: its results are not on the DVC remote, although it has run: is the remote full?")
    if failed:
        raise UserError(f"{len(failed)} of {len(stages)} stages failed: {', '.join(sorted(failed))}")


def repro(*arguments: str) -> None:
    """Run `dvc repro`; exits with DVC's code if it fails."""
    code = subprocess.run([*DVC, "repro", *arguments], env=environment(), check=False).returncode
    if code:
        sys.exit(code)


def main() -> None:
    """Run the pipeline."""
    parser = argparse.ArgumentParser(prog="make repro", description=__doc__)
    parser.add_argument("target", nargs="*", help="stages to run with all on which they depend; default: all")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--at-once", type=int, help="number of stages at once on this machine")
    where.add_argument("--scheduler", help="address of a Dask scheduler")
    options = parser.parse_args()
    require_dask()
    if options.at_once is not None and options.at_once < 1:
        raise UserError(f"AT_ONCE={options.at_once}: the number of stages at once must be 1 or more")
    if training_section.load().threads == 0:
        raise UserError(
            "params.yaml: training.threads is 0, which means all processor cores: another number on each machine, and "
            "results depend on it; for stages at once set a number, for example 1"
        )
    pull = ["--pull"] if options.scheduler else []
    changed = plan.changed(options.target)
    if not changed:
        say("Data and pipelines are up to date.")  # as DVC says
        return
    before = plan.graph()
    for first, group in plan.groups(before, changed, options.target):
        if first:
            repro(*pull, *sorted(first))
        # Their inputs may turn out to be as before.
        stages = plan.longest_first(group & plan.changed(group))
        if stages:
            inputs = {stage: sorted(before.get(stage, ())) for stage in stages}
            run_group(stages, inputs, options.scheduler, options.at_once)
    repro(*pull, *options.target)


if __name__ == "__main__":
    run("cluster", main)
