"""Writes the generated parts of README.md: the leaderboard, the benchmark and the graph of the stages."""

import argparse
import re
from pathlib import Path

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.process.run import run

README = Path("README.md")
BENCHMARK = Path("reports/benchmark.md")


def replaced(text: str, name: str, content: str) -> str:
    """Put content between the marks of a generated part.

    Parameters
    ----------
    text : str
        The README, with `<!-- NAME -->` and `<!-- /NAME -->` on lines of their own.
    name : str
        Name of the part.
    content : str
        What to put there.

    Raises
    ------
    UserError
        The marks are missing.
    """
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- /{name} -->\n)", re.DOTALL)
    if not pattern.search(text):
        raise UserError(f"{README} has no lines '<!-- {name} -->' and '<!-- /{name} -->' to write between")
    return pattern.sub(lambda match: f"{match[1]}\n{content.strip()}\n\n{match[2]}", text)


def part(path: Path, name: str) -> str:
    """Return what stands between the marks of a part in another file; raises UserError where there are none."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->\n", path.read_text(encoding="utf-8"), re.DOTALL)
    if not found:
        raise UserError(f"{path} has no lines '<!-- {name} -->' and '<!-- /{name} -->' to read between")
    return found[1].strip()


def stage_graph(pipeline: dict[str, dict]) -> str:
    """Draw the stages of a dvc.yaml as a Mermaid graph: an arrow where one reads what another writes.

    Parameters
    ----------
    pipeline : dict
        The mapping `stages` of dvc.yaml; a stage for each model is drawn as one.
    """

    def paths(stage: str, *keys: str) -> list[str]:
        items = [item for key in keys for item in pipeline[stage].get(key, [])]
        return [re.sub(r"\$\{.*?\}.*", "", item if isinstance(item, str) else next(iter(item))) for item in items]

    def overlap(one: str, other: str) -> bool:
        return one == other or one.startswith(f"{other.rstrip('/')}/") or other.startswith(f"{one.rstrip('/')}/")

    arrows = {
        stage: {
            other
            for other in pipeline
            if other != stage
            and any(overlap(dep, out) for dep in paths(stage, "deps") for out in paths(other, "outs", "metrics"))
        }
        for stage in pipeline
    }
    lines = ["```mermaid", "flowchart LR"]
    for stage, definition in pipeline.items():
        label = f"{stage}@NAME" if "matrix" in definition else stage
        lines.append(f'    {stage}["{label}"]')
    for stage, before in arrows.items():
        # An arrow that follows from others would only clutter the picture.
        implied = {further for other in before for further in _ancestors(other, arrows)}
        lines += [f"    {other} --> {stage}" for other in pipeline if other in before - implied]
    return "\n".join([*lines, "```"])


def _ancestors(stage: str, arrows: dict[str, set[str]]) -> set[str]:
    return arrows[stage] | {further for other in arrows[stage] for further in _ancestors(other, arrows)}


def generated(text: str) -> str:
    """Return the README with its generated parts made anew from reports/ and dvc.yaml."""
    leaderboard = paths.LEADERBOARD_MD.read_text(encoding="utf-8")
    stages = YAML(typ="safe").load(Path("dvc.yaml"))["stages"]
    parts = {"leaderboard": leaderboard, "benchmark": part(BENCHMARK, "models"), "stages": stage_graph(stages)}
    for name, content in parts.items():
        text = replaced(text, name, content)
    return text


def main() -> None:
    """Write README.md, or only check that it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the README is out of date")
    check = parser.parse_args().check
    before = README.read_text(encoding="utf-8")
    after = generated(before)
    if check and after != before:
        raise UserError(f"{README} is not what reports/ and dvc.yaml say; run 'make readme'")
    if not check:
        README.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    run("readme", main)
