"""params.schema.json, for editors: valid where the check is content, and invalid where a schema can tell."""

import json
from typing import Any

import pytest
from conftest import ROOT
from jsonschema import Draft7Validator
from ruamel.yaml import YAML

from tests.fixtures.mistakes import CLASSES, DATA, STRUCTURE, Mistake
from tools.params_schema import schema, written

FILE = ROOT / "params.schema.json"
DEFAULT = (ROOT / "params.yaml").read_text()


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    return Draft7Validator(json.loads(FILE.read_text()))


def as_json(text: str) -> Any:
    """Read a file as an editor does: of equal keys the last counts, and every key is text."""
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    return json.loads(json.dumps(yaml.load(text), default=str))


def test_the_committed_file_is_current() -> None:
    assert FILE.read_text() == written(schema()), "run 'python -m tools.params_schema'"


def test_it_is_a_schema_of_reasonable_size_that_the_file_names_to_editors() -> None:
    Draft7Validator.check_schema(json.loads(FILE.read_text()))
    assert FILE.stat().st_size < 300_000
    assert DEFAULT.splitlines()[0] == f"# yaml-language-server: $schema={FILE.name}"


def test_the_default_file_is_valid(validator: Draft7Validator) -> None:
    assert [error.message for error in validator.iter_errors(as_json(DEFAULT))] == []


def test_the_examples_of_the_readme_are_valid(validator: Draft7Validator) -> None:
    blocks = [part.split("```")[0] for part in (ROOT / "README.md").read_text().split("```yaml\n")[1:]]
    assert len(blocks) == 2
    for block in blocks:
        params = as_json(DEFAULT)
        for section, content in as_json(block).items():
            params[section] |= content
        assert [error.message for error in validator.iter_errors(params)] == []


@pytest.mark.parametrize("mistake", [*STRUCTURE, *CLASSES, *DATA], ids=str)
def test_a_mistake_is_invalid_unless_no_schema_can_tell(validator: Draft7Validator, mistake: Mistake) -> None:
    edited = DEFAULT.replace(mistake.old, mistake.new, 1)
    assert edited != DEFAULT
    assert validator.is_valid(as_json(edited)) == bool(mistake.beyond_schema), mistake.beyond_schema
