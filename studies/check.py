"""Checks studies/studies.yaml, and that every study has its stage, before DVC, whose messages name no line."""

from pathlib import Path

from ruamel.yaml import YAML

from stages.shared.errors import UserError
from stages.shared.params.mistakes import line_numbers
from stages.shared.params.yaml_file import read
from stages.shared.process.run import run
from studies.settings import STAGES, STUDIES, check_studies

PIPELINE = Path("studies/dvc.yaml")


def main() -> None:
    """Check both files."""
    content = read(STUDIES)
    with line_numbers(content, STUDIES):
        studies = check_studies(content).studies
    stages = {*YAML(typ="safe").load(PIPELINE)["stages"]} - {*STAGES}
    for name in sorted({*studies} - stages):
        raise UserError(f"{PIPELINE} has no stage '{name}' for the study of {STUDIES}; copy one, with this name in it")
    for name in sorted(stages - {*studies}):
        raise UserError(f"{STUDIES} has no study '{name}' for the stage of {PIPELINE}; delete the stage")


if __name__ == "__main__":
    run("studies", main)
