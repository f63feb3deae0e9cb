"""Runs the pipeline, independent stages at the same time: `make repro AT_ONCE=4`, `make repro SCHEDULER=tcp://...`.

The stages run in copies of the workspace. DVC's run cache then has their results, and `dvc repro` takes them from it,
as it does after a serial run.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

from cluster import plan, require_dask
from stages.shared.errors import UserError
from stages.shared.params import training_section
from stages.shared.params.yaml_file import plain, read
from stages.shared.process.console import say
from stages.shared.process.run import die_with_parent, run
from tools.programs import DVC, environment

FOLDER = Path(".dvc/tmp/cluster")


def run_group(stages: list[str], inputs: dict[str, list[str]], scheduler: str | None, at_once: int | None) -> None:
    """Run stages at the same time; DVC's run cache, or dvc.lock, has their results then.

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
    from cluster import on_dask, progress, snapshot
    from cluster.run_cache import has, keys, remove_unfinished, uncached

    cache = Path(plan.dvc("cache", "dir").strip()).resolve()
    before = sorted({name for names in inputs.values() for name in names})
    if scheduler:
        plan.dvc("push", "--run-cache", *before)
        remove_unfinished()
    found = keys(stages)
    sent = uncached(stages)
    jobs = {
        stage: on_dask.Job(key, inputs[stage], str(plan.timing(stage)), sent[stage])
        for stage in stages
        if (key := found[stage])
    }
    board = progress.Board({stage: plan.seconds(stage) for stage in jobs})
    archive = snapshot.write(FOLDER)
    exchanged = None if scheduler else cache
    with on_dask.connect(scheduler, min(at_once or 1, len(stages)), FOLDER) as client, progress.shown(board):
        on_dask.run_stages(client, archive, jobs, exchanged, board)
    if scheduler:
        plan.dvc("fetch", "--run-cache", *before)
    failed = board.failed
    adopted = [stage for stage in board.done if jobs[stage].uncached]
    if adopted and keys(adopted) != {stage: jobs[stage].key for stage in adopted}:
        raise UserError("the inputs have changed while the stages ran; run the same command again")
    if adopted:
        plan.dvc("commit", "--force", *adopted)
    for stage in {*jobs} - {*failed, *adopted}:
        if not has(cache, jobs[stage].key):
            failed.append(stage)
            say(f"{stage}: its results are not on the DVC remote, although it has run: is the remote full?")
    if failed:
        raise UserError(f"{len(failed)} of {len(stages)} stages failed: {', '.join(sorted(failed))}")


def repro(*arguments: str) -> None:
    """Run `dvc repro`; exits with DVC's code if it fails."""
    # Ctrl-C reaches DVC too, which ends the stage and then itself.
    interrupts: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
    ran = subprocess.run([*DVC, "repro", *arguments], env=environment(), check=False, preexec_fn=die_with_parent)
    signal.signal(signal.SIGINT, before)
    if interrupts:
        os.kill(os.getpid(), signal.SIGINT)
    if ran.returncode:
        sys.exit(ran.returncode)


def require_number_of_threads() -> None:
    """Raise UserError if params.yaml lets a model be trained on all processor cores."""
    threads: dict[str, int | None] = {"training": training_section.load().threads}
    nets = plain(read()).get("nets")
    for name, net in nets.items() if isinstance(nets, dict) else ():  # check-params refuses anything else
        threads[f"nets.{name}"] = net.get("threads") if isinstance(net, dict) else None
    for place, number in threads.items():
        if number == 0:
            raise UserError(
                f"params.yaml: {place}.threads is 0, which means all processor cores: another number on each machine, "
                "and results depend on it; for stages at once set a number, for example 1"
            )


def main() -> None:
    """Run the pipeline."""
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("target", nargs="*", help="as of `dvc repro`: a stage, or a dvc.yaml")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--at-once", type=int, help="number of stages at once on this machine")
    where.add_argument("--scheduler", help="address of a Dask scheduler")
    options = parser.parse_args()
    require_dask()
    if options.at_once is not None and options.at_once < 1:
        raise UserError(f"AT_ONCE={options.at_once}: the number of stages at once must be 1 or more")
    targets = plan.stages(options.target) if options.target else set[str]()
    before = plan.graph() if targets else {}
    concerned = {*targets}.union(*(plan.ancestors(target, before) for target in targets))
    if not targets or any(stage.startswith("train-") for stage in concerned):
        require_number_of_threads()
    pull = ["--pull"] if options.scheduler else []
    changed = plan.changed(options.target or ["dvc.yaml"])
    if not changed:
        say("Data and pipelines are up to date.")  # as DVC says
        return
    if options.scheduler:
        from cluster import on_dask

        with on_dask.connect(options.scheduler, 1, FOLDER):
            pass  # a wrong address is told before any stage runs
    before = before or plan.graph()
    for first, group in plan.groups(before, changed, targets):
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
