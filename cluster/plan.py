"""Which stages can run at the same time, by what DVC's command line says of the pipeline."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.files.paths import TIMINGS
from stages.shared.files.text_files import load_json
from stages.shared.process.run import die_with_parent
from tools.programs import DVC, environment

EDGE = re.compile(r'^"(.+)" -> "(.+)";$', re.MULTILINE)
OUTPUTS = ("outs", "metrics", "plots")


def dvc(*arguments: str) -> str:
    """Run DVC and return what it prints.

    Raises
    ------
    UserError
        DVC fails, with its own message.
    """
    ran = subprocess.run(
        [*DVC, *arguments], env=environment(), capture_output=True, text=True, preexec_fn=die_with_parent
    )
    if ran.returncode:
        message = ran.stderr.rpartition("ERROR: ")[2].partition("Having any troubles?")[0].strip()
        raise UserError(f"dvc {arguments[0]}: {message.removeprefix('unexpected error - ')}")
    return ran.stdout


def graph() -> dict[str, set[str]]:
    """Return all direct predecessors of each stage that has any."""
    before: dict[str, set[str]] = {}
    for stage, successor in EDGE.findall(dvc("dag", "--dot")):
        before.setdefault(successor, set()).add(stage)
    return before


def stages(targets: Iterable[str]) -> set[str]:
    """Return the stages that targets of `dvc repro` name: a stage, all of a matrix, or of a dvc.yaml."""
    return {*dvc("stage", "list", "--name-only", *targets).splitlines()}


def changed(targets: Iterable[str]) -> set[str]:
    """Return the stages, of targets and those before them, whose inputs, settings or outputs have changed."""
    return {*json.loads(dvc("status", "--json", "--with-deps", *targets))}


def ancestors(stage: str, before: Mapping[str, set[str]]) -> set[str]:
    """Return all stages on which a stage depends, directly or indirectly."""
    found: set[str] = set()
    waiting = [*before.get(stage, ())]
    while waiting:
        stage = waiting.pop()
        if stage not in found:
            found.add(stage)
            waiting += before.get(stage, ())
    return found


def groups(
    before: Mapping[str, set[str]], changed: set[str], targets: Iterable[str]
) -> list[tuple[set[str], set[str]]]:
    """Find the groups of stages that can run at the same time: each after the same stages, which must run first.

    Parameters
    ----------
    before : mapping of str to set of str
        As `graph` returns it.
    changed : set of str
        As `changed` returns it.
    targets : iterable of str
        The stages to run with all on which they depend; none means those of dvc.yaml in this folder.

    Returns
    -------
    list of (set of str, set of str)
        The stages that must run before, and two or more stages, not all of which may have to run; in the order of the
        pipeline.
    """
    names = {*before} | {name for names in before.values() for name in names}
    depends = {name: ancestors(name, before) for name in names}
    wanted = {*targets} or {name for name in names if ":" not in name}
    names = {name for name in names if name in wanted or any(name in depends.get(target, ()) for target in wanted)}
    may_run = {name for name in names if name in changed or depends[name] & changed}
    found: dict[frozenset[str], set[str]] = {}
    for name in sorted(restorable(may_run), key=lambda name: len(depends[name])):
        found.setdefault(frozenset(depends[name] & may_run), set()).add(name)
    return [({*first}, group) for first, group in found.items() if len(group) > 1]


def restorable(stages: Iterable[str]) -> set[str]:
    """Return the stages that DVC's run cache keeps: with dependencies and cached outputs alone, none persistent.

    And those that declare `meta: {at_once: true}`; their machines send the outputs that DVC does not cache.
    """
    found = set()
    for stage in stages:
        declared = definition(stage)
        outputs = [item for key in OUTPUTS for item in declared.get(key, [])]
        options = [next(iter(item.values())) or {} for item in outputs if isinstance(item, dict)]
        flags = [flag for each in options for flag in each.items()]
        kept_out = ("cache", False) in flags or ("persist", True) in flags or declared.get("always_changed", False)
        sent = (declared.get("meta") or {}).get("at_once", False)
        if outputs and declared.get("deps") and (sent or not kept_out):
            found.add(stage)
    return found


def definition(stage: str) -> dict[str, Any]:
    """Return what a dvc.yaml declares of a stage; {} for a .dvc file.

    `studies/dvc.yaml:train@7` is an entry of the matrix `train` in studies/dvc.yaml.
    """
    path, _, name = stage.rpartition(":")
    declared: dict[str, Any] = _declared(Path(path or "dvc.yaml").resolve()).get(name.partition("@")[0], {})
    return declared.get("do", declared)  # of `foreach`


@cache
def _declared(file: Path) -> dict[str, Any]:
    stages: dict[str, Any] = YAML(typ="safe").load(file).get("stages", {})
    return stages


def longest_first(stages: Iterable[str]) -> list[str]:
    """Sort stages by the time that each took when it last ran, as in reports/timings; unknown ones come first."""

    def order(stage: str) -> tuple[float, str]:
        known = seconds(stage)
        return -(float("inf") if known is None else known), stage

    return sorted(stages, key=order)


def seconds(stage: str) -> float | None:
    """Return the time that a stage took when it last ran; None if it is not known."""
    path = timing(stage)
    return float(load_json(path, "seconds")["seconds"]) if path.is_file() else None


def timing(stage: str) -> Path:
    """Return the file of a stage's last time and memory: in reports/timings of the folder in which the stage runs."""
    path, _, name = stage.rpartition(":")
    return Path(os.path.normpath(Path(path).parent / definition(stage).get("wdir", "."))) / TIMINGS.path(name)
