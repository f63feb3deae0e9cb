"""Compares experiments: the validation accuracy of every model, and the settings that differ.

`dvc exp show` has one column per setting, so a new net makes it wider than a terminal. Here each model has a column,
and settings are listed below in the syntax of `dvc exp run -S`. Arguments are passed on to `dvc exp show`: `--num 3`.
"""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from typing import Any, NamedTuple

import pandas as pd

from stages.shared.files import paths
from stages.shared.process import console
from stages.shared.process.run import run
from tools.programs import DVC, environment
from tools.repository import check_repository

MISSING = object()


class Row(NamedTuple):
    """An experiment, a commit or the workspace.

    `accuracies` maps models to 0-1. `settings` are what differs from the commit that the experiment started from.
    """

    label: str
    accuracies: dict[str, float]
    settings: list[str]


def rows(shown: list[dict[str, Any]]) -> list[Row]:
    """Extract the comparison from the parsed output of `dvc exp show --json`."""
    head = next((commit for commit in shown if commit["rev"] != "workspace"), shown[0])
    found = []
    for commit in shown:
        name = commit.get("name") or commit["rev"][:9]  # "workspace", or a hash
        found.append(_row(name, commit, head if name == "workspace" else commit))
        for experiment in commit.get("experiments") or []:
            last = experiment["revs"][-1]
            found.append(_row("  " + (experiment.get("name") or last["rev"][:9]), last, commit))
    return found


def _row(label: str, state: dict[str, Any], start: dict[str, Any]) -> Row:
    before, after = _content(start, "params", "params.yaml"), _content(state, "params", "params.yaml")
    accuracies = _content(state, "metrics", paths.SUMMARY.as_posix())
    return Row(label, accuracies, differences(before, after) if after else [])


def _content(state: dict[str, Any], kind: str, file: str) -> dict[str, Any]:
    return ((state.get("data") or {}).get(kind, {}).get(file) or {}).get("data") or {}


def differences(before: Any, after: Any, key: str = "") -> list[str]:
    """List changed, added (+) and removed (~) settings of params.yaml, or its part `key`, as for `dvc exp run -S`."""
    if before == after:
        return []
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for name in before | after:
            path = f"{key}.{name}" if key else name
            found += differences(before.get(name, MISSING), after.get(name, MISSING), path)
        return found
    if after is MISSING:
        return [f"~{key}"]
    value = json.dumps(after, ensure_ascii=False).replace('"', "")  # {class: Dense, units: 8}
    return [f"{'+' if before is MISSING else ''}{key}={value}"]


def table(found: list[Row], width: int, bold: bool = False) -> str:
    """Lay out the accuracies, one column per model, and below them the settings; wrapped after `width` characters.

    An accuracy that differs from the one in the row above has an asterisk and, if `bold`, bold digits.
    """
    accuracies = pd.DataFrame([row.accuracies for row in found], index=[row.label for row in found])
    cells = accuracies.map(lambda value: "-" if pd.isna(value) else f"{value:.4f}")
    above = accuracies.shift()
    differ = (accuracies != above) & ~(accuracies.isna() & above.isna())
    differ.iloc[0] = False
    text = cells.mask(differ, "*" + cells).to_string(line_width=width)
    lines = [re.sub(r"\*\S+", "\033[1m\\g<0>\033[0m", text) if bold else text, ""]
    first = max(len(row.label) for row in found)
    for row in found:
        for setting in row.settings:
            label, indent = f"{row.label:<{first}}  ", " " * (first + 4)
            lines.append(textwrap.fill(setting, width, initial_indent=label, subsequent_indent=indent))
    return "\n".join(lines)


def main() -> None:
    """Print the comparison."""
    check_repository()
    command = [*DVC, "exp", "show", "--json", *sys.argv[1:]]
    shown = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True)
    if shown.returncode:
        sys.exit(shown.returncode)
    width = shutil.get_terminal_size((130, 0)).columns
    console.say("validation accuracy, or test accuracy without a validation set; * if it differs from the row above")
    console.say(table(rows(json.loads(shown.stdout)), width, bold=sys.stdout.isatty()))


if __name__ == "__main__":
    run("experiments", main)
