"""Compares up to three revisions: the settings and metrics that differ, and a page of the curves and pictures that do.

`dvc plots diff` draws all plots of all models, and has no option to leave out those that are the same. Here git lists
what differs, and DVC gets it as targets. A revision is a commit, branch, tag or experiment, or `workspace`.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from stages.shared.errors import UserError, unknown_name
from stages.shared.files import paths
from stages.shared.params.yaml_file import PARAMS, plain, read
from stages.shared.process.console import say
from stages.shared.process.run import run
from tools.experiments import differences
from tools.programs import DVC, environment
from tools.repository import check_repository, git

WORKSPACE = "workspace"
MOST = 3  # revisions that are readable side by side in a window of 1,280 pixels
EXPERIMENT = re.compile(r"refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/ ]+) ([0-9a-f]{40})")
MODEL = re.compile(r"[+~]?(?:baselines|nets)\.([^.=]+)")  # of a setting
OUTPUT = Path("dvc_plots")  # where DVC writes by default
CURVES = ("-t", "curves", "-x", "epoch", "-y", "loss")  # the template .dvc/plots/curves.json, as in dvc.yaml


class Revision(NamedTuple):
    """A revision by the name that the user gave; `commit` is None for the workspace.

    `start` is the commit that an experiment started from, for others the commit itself.
    """

    name: str
    commit: str | None
    start: str


def resolve(name: str) -> Revision:
    """Find a revision, as DVC does: names of Git's first, then experiments, those of HEAD first.

    Raises
    ------
    UserError
        There is none of this name, or there are several experiments.
    """
    head = git("rev-parse", "HEAD").strip()
    if name == WORKSPACE:
        return Revision(name, None, head)
    listed = EXPERIMENT.findall(git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps"))
    try:
        commit = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}").strip()
    except UserError:
        started = {first + rest: commit for first, rest, experiment, commit in listed if experiment == name}
    else:
        starts = {commit: first + rest for first, rest, _, commit in listed}
        return Revision(name, commit, starts.get(commit, commit))
    if not started:
        known = git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags").split()
        known += ["HEAD", WORKSPACE, *(experiment for _, _, experiment, _ in listed)]
        raise UserError(unknown_name(name, {*known}, "revision or experiment"))
    if len(started) > 1 and head not in started:
        raise UserError(
            f"several commits have an experiment '{name}'; give the revision of one of them, which "
            "'dvc exp list --all-commits' shows"
        )
    start = head if head in started else next(iter(started))
    return Revision(name, started[start], start)


def differing(first: Revision, other: Revision, folders: Sequence[Path]) -> set[str]:
    """Return the paths of the files in some folders that only one of two revisions has, or that differ."""
    commits = [each.commit for each in (first, other) if each.commit]
    within = ("-z", "--", *map(str, folders))
    found = git("diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", *commits, *within)
    if len(commits) < 2:
        found += git("ls-files", "--others", "--exclude-standard", *within)
    return {*found.split("\0")} - {""}


def content(revision: Revision, path: str) -> str:
    """Return the text of a file in a revision; empty if it does not have the file."""
    if revision.commit is None:
        file = Path(path)
        return file.read_text(encoding="utf-8") if file.is_file() else ""
    in_revision = git("ls-tree", "--name-only", revision.commit, "--", path)
    return git("show", f"{revision.commit}:./{path}") if in_revision else ""


def changed_settings(revisions: Sequence[Revision]) -> dict[str, list[str]]:
    """Return what differs from the settings of the first revision: name -> as for `dvc exp run -S`."""
    first, *others = [_params(each) for each in revisions]
    found = [differences(first, other) for other in others]
    return {each.name: settings for each, settings in zip(revisions[1:], found, strict=True) if settings}


def _params(revision: Revision) -> dict[str, Any]:
    if revision.commit is None:
        params: dict[str, Any] = plain(read())
        return params
    try:
        return YAML(typ="safe").load(content(revision, PARAMS.as_posix())) or {}
    except YAMLError:
        raise UserError(f"{PARAMS} of {revision.name} is not valid YAML; compare another commit") from None


def metrics_table(revisions: Sequence[Revision], files: Sequence[str]) -> pd.DataFrame:
    """Return the metrics that differ, one row each: model, metric and a column per revision; of two, their change."""
    rows: list[dict[str, Any]] = []
    for file in files:
        values = {each.name: json.loads(content(each, file) or "{}") for each in revisions}
        for metric in dict.fromkeys(key for of in values.values() for key in of):
            row = {name: of.get(metric) for name, of in values.items()}
            if len({*row.values()}) == 1:
                continue
            shown = {name: "-" if value is None else f"{value}" for name, value in row.items()}
            if len(revisions) == 2:
                before, after = row.values()
                shown["change"] = "-" if before is None or after is None else f"{after - before:+.6g}"
            rows.append({"model": PurePosixPath(file).stem, "metric": metric, **shown})
    return pd.DataFrame(rows)


def drawn(files: set[str], edited: set[str]) -> list[str]:
    """Return the curves and pictures among some files, those of edited models first.

    The picture of a net's curves is left out: the page draws them as a chart, of all revisions together.
    """
    kept = [
        PurePosixPath(file)
        for file in files
        if file.endswith((paths.PUBLISHED_HISTORY.suffix, paths.PICTURES.suffix))
        and PurePosixPath(file).name != "curves.png"
    ]
    return [str(file) for file in sorted(kept, key=lambda file: (not edited & {file.stem, file.parent.name}, file))]


def write_page(revisions: Sequence[Revision], targets: list[str]) -> Path:
    """Let DVC write a page of the targets, in place of its last one; exits with DVC's code if it fails."""
    shutil.rmtree(OUTPUT, ignore_errors=True)  # DVC would leave the pictures of earlier comparisons
    command = [*DVC, "plots", "diff", *(each.name for each in revisions), *CURVES, "--targets", *targets]
    # DVC warns of each revision that lacks one of the files, as that without an added net does.
    ran = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if ran.returncode:
        print(ran.stderr, end="", file=sys.stderr)
        sys.exit(ran.returncode)
    return OUTPUT / "index.html"


def main() -> None:
    """Print what differs, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="*", help="default: HEAD and workspace")
    names = list(dict.fromkeys(parser.parse_args().revision)) or ["HEAD", WORKSPACE]
    names.sort(key=lambda name: name == WORKSPACE)  # last, as on the page
    if not 2 <= len(names) <= MOST:
        raise UserError(f"give two or three different revisions, not {len(names)}: make compare A=HEAD B=EXPERIMENT")
    check_repository()
    first, *others = revisions = [resolve(name) for name in names]
    for each in others:
        if each.start != first.start:
            say(f"{each.name} started from {each.start[:7]}, {first.name} from {first.start[:7]}: code may differ, too")
    settings = changed_settings(revisions)
    for name, changes in settings.items():
        say(f"{name}, settings that differ from {first.name}:")
        for change in changes:
            say(f"  {change}")
    folders = [paths.METRICS.folder, paths.PUBLISHED_HISTORY.folder, paths.PICTURES.folder]
    files = set[str]().union(*(differing(first, other, folders) for other in others))
    metrics = metrics_table(revisions, sorted(file for file in files if file.endswith(paths.METRICS.suffix)))
    if not metrics.empty:
        say(f"\n{metrics.to_string(index=False)}\n")
    edited = {found[1] for changes in settings.values() for change in changes if (found := MODEL.match(change))}
    targets = drawn(files, edited)
    if targets:
        page = write_page(revisions, targets)
        size = sum(file.stat().st_size for file in OUTPUT.rglob("*") if file.is_file())
        say(f"compare: {len(targets)} curves and pictures differ: open {page} ({size / 1e6:.1f} MB with its pictures)")
    elif not metrics.empty:
        say("compare: no curves or pictures differ")
    else:
        unrun = "; the results of edited settings come with 'dvc repro'" if WORKSPACE in settings else ""
        say(f"compare: {' and '.join(names)} have the same results{unrun}")


if __name__ == "__main__":
    run("compare", main)
