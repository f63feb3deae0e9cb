"""Compares experiments: the validation accuracy of every model, and the settings that differ.

`dvc exp show` gives each setting a column, which is more than a terminal holds as soon as a net is added. Here models
are columns, and settings are lines in the words of `dvc exp run -S`. Arguments go to `dvc exp show`: `--num 3`,
`--all-commits`.
"""

import json
import shutil
import subprocess
import sys
import textwrap
from typing import Any, NamedTuple

from stages.shared.files import paths
from stages.shared.process import console
from stages.shared.process.run import run

WIDTH = 120  # where the output is no terminal


class Row(NamedTuple):
    """An experiment, a commit or the workspace.

    Attributes
    ----------
    label : str
        Its name, and its state where it is not done.
    accuracies : dict of str to float
        Model -> accuracy, 0-1, on the set that decides: validation, where there is one.
    settings : list of str
        What differs from the commit that it began from, in the words of `dvc exp run -S`.
    """

    label: str
    accuracies: dict[str, float]
    settings: list[str]


def rows(shown: list[dict[str, Any]]) -> list[Row]:
    """Take out of `dvc exp show --json` what is to be compared.

    Parameters
    ----------
    shown : list of dict
        Its output, parsed.
    """
    head = next((_params(commit) for commit in shown if commit["rev"] != "workspace"), {})
    found = []
    for commit in shown:
        in_workspace = commit["rev"] == "workspace"
        label = "workspace" if in_workspace else commit.get("name") or commit["rev"][:7]
        found.append(Row(label, _accuracies(commit), differing(head, _params(commit)) if in_workspace else []))
        for experiment in commit.get("experiments") or []:
            last = experiment["revs"][-1]
            state = ((experiment.get("executor") or {}).get("state") or "").lower()
            label = "  " + (experiment.get("name") or last["rev"][:7])
            found.append(
                Row(
                    label if state in ("", "success") else f"{label} ({state})",
                    _accuracies(last),
                    differing(_params(commit), _params(last)) if last.get("data") else [],
                )
            )
    return found


def differing(before: Any, after: Any, key: str = "") -> list[str]:
    """Say what was set, added (+) and taken out (~), in the words of `dvc exp run -S`.

    Parameters
    ----------
    before, after : dict
        Parameters, as nested as they are in params.yaml.
    key : str
        Where they are.
    """
    if before == after:
        return []
    if not isinstance(before, dict) or not isinstance(after, dict):
        return [f"{key}={_text(after)}"]
    found = []
    for name in [*before, *(name for name in after if name not in before)]:
        path = f"{key}.{name}" if key else name
        if name not in after:
            found.append(f"~{path}")
        elif name not in before:
            found.append(f"+{path}={_text(after[name])}")
        else:
            found += differing(before[name], after[name], path)
    return found


def table(found: list[Row], width: int) -> str:
    """Lay out a table of accuracies, folded where it is too wide, and below it the settings.

    Parameters
    ----------
    found : list of Row
        What to show.
    width : int
        Characters a line may have.
    """
    first = max(len(row.label) for row in found)
    models = list(dict.fromkeys(model for row in found for model in row.accuracies))
    # Columns close together where that spares a second table.
    gaps = [gap for gap in (2, 1) if len(_folded(models, width - first, gap)) == 1]
    gap = " " * (gaps or [2])[0]
    blocks = []
    for block in _folded(models, width - first, len(gap)):
        lines = [" " * first + "".join(f"{gap}{model:>{_column(model)}}" for model in block)]
        for row in found:
            cells = [f"{row.accuracies[model]:.4f}" if model in row.accuracies else "-" for model in block]
            columns = "".join(f"{gap}{cell:>{_column(model)}}" for model, cell in zip(block, cells, strict=True))
            lines.append(f"{row.label:<{first}}{columns}")
        blocks.append("\n".join(lines))
    settings = [
        textwrap.fill(
            setting,
            width,
            initial_indent=f"{row.label if n == 0 else '':<{first}}  ",
            subsequent_indent=" " * (first + 4),
            break_on_hyphens=False,
        )
        for row in found
        for n, setting in enumerate(row.settings)
    ]
    return "\n\n".join([*blocks, *(["\n".join(settings)] if settings else [])])


def _folded(models: list[str], width: int, gap: int) -> list[list[str]]:
    """Divide models among tables of a width, with a gap before each column; each table has one at least."""
    blocks: list[list[str]] = [[]]
    used = 0
    for model in models:
        needed = gap + _column(model)
        if blocks[-1] and used + needed > width:
            blocks.append([])
            used = 0
        blocks[-1].append(model)
        used += needed
    return blocks


def _column(model: str) -> int:
    return max(len(model), len("0.1234"))


def _params(state: dict[str, Any]) -> dict[str, Any]:
    return _content(state, "params", "params.yaml")


def _accuracies(state: dict[str, Any]) -> dict[str, float]:
    return _content(state, "metrics", paths.SUMMARY.as_posix())


def _content(state: dict[str, Any], kind: str, file: str) -> dict[str, Any]:
    return ((state.get("data") or {}).get(kind, {}).get(file) or {}).get("data") or {}


def _text(value: Any) -> str:
    """Write a value as DVC's command line takes it: {class: Dense, units: 8}."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value)


def main() -> None:
    """Print the comparison."""
    command = ["dvc", "exp", "show", "--json", *sys.argv[1:]]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if shown.returncode:
        sys.exit(shown.returncode)
    console.say("validation accuracy (test accuracy where there is no validation set)")
    console.say(table(rows(json.loads(shown.stdout)), shutil.get_terminal_size((WIDTH, 0)).columns))


if __name__ == "__main__":
    run("experiments", main)
