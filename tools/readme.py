"""Writes the generated parts of README.md and docs/: the leaderboard, the benchmark and the graph of the stages."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.process.run import run
from tools.generated_file import write_or_check

README = Path("README.md")
PERFORMANCE = Path("docs/performance.md")
CONTRIBUTING = Path("docs/contributing.md")
BENCHMARK = Path("reports/benchmark.md")
PIPELINE = Path("dvc.yaml")


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


def generated() -> dict[Path, str]:
    """Return the text of each page with its generated part updated from reports/ and dvc.yaml.

    Pages that are gone, or whose source is, are left out.
    """
    parts: dict[Path, tuple[str, Path, Callable[[Path], str]]] = {
        README: ("leaderboard", paths.LEADERBOARD_MD, lambda path: path.read_text(encoding="utf-8")),
        PERFORMANCE: ("benchmark", BENCHMARK, lambda path: read_part(path, "models")),
        CONTRIBUTING: ("stages", PIPELINE, lambda path: stage_graph(YAML(typ="safe").load(path)["stages"])),
    }
    pages = {}
    for page, (name, source, content) in parts.items():
        if page.is_file() and source.is_file():
            text = page.read_text(encoding="utf-8")
            start, end = find_part(page, text, name).span(1)
            pages[page] = f"{text[:start]}\n{content(source).strip()}\n\n{text[end:]}"
    return pages


def main() -> None:
    """Write the pages, or check that they are up to date."""
    for page, text in generated().items():
        write_or_check(page, text, "make readme")


if __name__ == "__main__":
    run("readme", main)
