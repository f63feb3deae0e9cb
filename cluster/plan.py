"""Which stages can run at the same time, by what DVC's command line says of the pipeline."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.files.paths import TIMINGS
from stages.shared.files.text_files import load_json
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
    ran = subprocess.run([*DVC, *arguments], env=environment(), capture_output=True, text=True)
    if ran.returncode:
        raise UserError(ran.stderr.strip().removeprefix("ERROR: "))
    return ran.stdout


def graph() -> dict[str, set[str]]:
    """Return all direct predecessors of each stage that has any."""
    before: dict[str, set[str]] = {}
    for stage, successor in EDGE.findall(dvc("dag", "--dot")):
        before.setdefault(successor, set()).add(stage)
    return before


def changed(targets: Iterable[str]) -> set[str]:
    """Return the stages, of targets and those before them, whose inputs, settings or outputs have changed."""
    options = ("--with-deps", *targets) if targets else ()
    return {*json.loads(dvc("status", "--json", *options))}


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
        The stages to run with all on which they depend; none means all.

    Returns
    -------
    list of (set of str, set of str)
        The stages that must run before, and two or more stages, not all of which may have to run; in the order of the
        pipeline.
    """
    names = {*before} | {name for names in before.values() for name in names}
    depends = {name: ancestors(name, before) for name in names}
    if wanted := {*targets}:
        names = {name for name in names if name in wanted or any(name in depends[target] for target in wanted)}
    may_run = {name for name in names if name in changed or depends[name] & changed}
    found: dict[frozenset[str], set[str]] = {}
    for name in sorted(restorable(may_run), key=lambda name: len(depends[name])):
        found.setdefault(frozenset(depends[name] & may_run), set()).add(name)
    return [({*first}, group) for first, group in found.items() if len(group) > 1]


def restorable(stages: Iterable[str]) -> set[str]:
    """Return the stages that DVC's run cache keeps: with dependencies and cached outputs alone, none persistent."""
    files: dict[Path, dict[str, Any]] = {}
    found = set()
    for stage in stages:
        # `studies/dvc.yaml:train@7` is an entry of the matrix `train` in studies/dvc.yaml.
        path, _, name = stage.rpartition(":")
        file = Path(path or "dvc.yaml")
        if file not in files:
            files[file] = YAML(typ="safe").load(file).get("stages", {})
        definition = files[file].get(name.partition("@")[0], {})
        outputs = [item for key in OUTPUTS for item in definition.get(key, [])]
        options = [next(iter(item.values())) or {} for item in outputs if isinstance(item, dict)]
        flags = [flag for each in options for flag in each.items()]
        kept_out = ("cache", False) in flags or ("persist", True) in flags or definition.get("always_changed", False)
        if outputs and definition.get("deps") and not kept_out:
            found.add(stage)
    return found


def longest_first(stages: Iterable[str]) -> list[str]:
    """Sort stages by the time that each took when it last ran, as in reports/timings; unknown ones come first."""

    def seconds(stage: str) -> float:
        path = timing(stage)
        return float(load_json(path, "seconds")["seconds"]) if path.is_file() else float("inf")

    return sorted(stages, key=lambda stage: (-seconds(stage), stage))


def timing(stage: str) -> Path:
    """Return the file of a stage's last time and memory."""
    file, name = PurePosixPath(stage.rpartition(":")[0]), stage.rpartition(":")[2]
    return Path(file.parent, TIMINGS.path(name))
