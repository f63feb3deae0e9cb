"""Writes the generated parts of README.md: the leaderboard, the benchmark and the graph of the stages."""

import argparse
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.process.run import run

README = Path("README.md")
BENCHMARK = Path("reports/benchmark.md")


def find_part(path: Path, text: str, name: str) -> re.Match[str]:
    """Find the text of a file between the lines `<!-- NAME -->` and `<!-- /NAME -->`; it is group 1 of the match.

    Raises
    ------
    UserError
        There are no such lines.
    """
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->\n", text, re.DOTALL)
    if not found:
        raise UserError(f"{path} has no part between the lines '<!-- {name} -->' and '<!-- /{name} -->'")
    return found


def read_part(path: Path, name: str) -> str:
    """Return the text of a file between the lines `<!-- NAME -->` and `<!-- /NAME -->`, as `find_part` does."""
    return find_part(path, path.read_text(encoding="utf-8"), name)[1].strip()


def stage_graph(pipeline: dict[str, dict[str, Any]]) -> str:
    """Draw a pipeline as a Mermaid graph, with an arrow from each stage to the stages that read its outputs.

    Parameters
    ----------
    pipeline : dict
        `stages` of dvc.yaml; a stage with a matrix is drawn once.
    """

    def listed(stage: str, *keys: str) -> list[str]:
        items = [item for key in keys for item in pipeline[stage].get(key, [])]
        return [re.sub(r"\$\{.*", "", item if isinstance(item, str) else next(iter(item))) for item in items]

    def overlap(one: str, other: str) -> bool:
        return one == other or one.startswith(f"{other.rstrip('/')}/") or other.startswith(f"{one.rstrip('/')}/")

    def ancestors(stage: str) -> set[str]:
        return before[stage].union(*map(ancestors, before[stage]))

    before: dict[str, set[str]] = {
        stage: {
            other
            for other in pipeline
            if other != stage
            and any(overlap(dep, out) for dep in listed(stage, "deps") for out in listed(other, "outs", "metrics"))
        }
        for stage in pipeline
    }
    lines = ["```mermaid", "flowchart LR"]
    for stage, definition in pipeline.items():
        label = f"{stage}@NAME" if "matrix" in definition else stage
        lines.append(f'    {stage}["{label}"]')
    for stage in pipeline:
        # No arrows that follow from other arrows.
        implied = set[str]().union(*map(ancestors, before[stage]))
        lines += [f"    {other} --> {stage}" for other in pipeline if other in before[stage] - implied]
    return "\n".join([*lines, "```"])


def generate(text: str) -> str:
    """Return the text of README.md with its generated parts updated from reports/ and dvc.yaml."""
    parts = {
        "leaderboard": paths.LEADERBOARD_MD.read_text(encoding="utf-8"),
        "benchmark": read_part(BENCHMARK, "models"),
        "stages": stage_graph(YAML(typ="safe").load(Path("dvc.yaml"))["stages"]),
    }
    for name, content in parts.items():
        start, end = find_part(README, text, name).span(1)
        text = f"{text[:start]}\n{content.strip()}\n\n{text[end:]}"
    return text


def main() -> None:
    """Write README.md, or only check that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if README.md is out of date")
    check = parser.parse_args().check
    before = README.read_text(encoding="utf-8")
    after = generate(before)
    if check and after != before:
        raise UserError(f"{README} is out of date with reports/ and dvc.yaml; run 'make readme'")
    if not check:
        README.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    run("readme", main)
