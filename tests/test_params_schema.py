"""params.schema.json, for editors: it agrees with the check wherever a JSON Schema can express it."""

import inspect
import json
from typing import Any

import keras
import pytest
from jsonschema import Draft7Validator
from ruamel.yaml import YAML
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from stages.check_params.classes import check_classes, read_definitions
from stages.shared.models.classifier_packages import classifiers
from stages.shared.models.classifier_packages import settings_of as classifier_settings
from stages.shared.models.keras_objects import classes_of
from stages.shared.models.keras_objects import settings_of as keras_settings
from stages.shared.params.mistakes import DeclarationError
from tests.fixtures.mistakes import CLASSES, DATA, STRUCTURE, Mistake
from tests.fixtures.small_project import PARAMS, ROOT
from tools.params_schema import ADAPTED, SUITABLE, allowed_values, schema, written

FILE = ROOT / "params.schema.json"
KINDS: dict[str, tuple[Any, type]] = {
    "layers": (keras.layers, keras.layers.Layer),
    "optimizer": (keras.optimizers, keras.optimizers.Optimizer),
}
UNSUITED = {*SUITABLE, *ADAPTED}
DEFAULT = PARAMS.read_text()


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    return Draft7Validator(json.loads(FILE.read_text()))


def as_json(text: str) -> Any:
    """Read a file as an editor does: the last of equal keys counts, and every key is a string."""
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True
    return json.loads(json.dumps(yaml.load(text), default=str))


def test_the_committed_file_is_up_to_date() -> None:
    assert FILE.read_text() == written(schema()), "run 'python -m tools.params_schema'"


def test_it_is_a_small_schema_that_params_yaml_refers_to() -> None:
    Draft7Validator.check_schema(json.loads(FILE.read_text()))
    assert FILE.stat().st_size < 300_000
    assert DEFAULT.splitlines()[0] == f"# yaml-language-server: $schema={FILE.name}"


def test_the_default_file_is_valid(validator: Draft7Validator) -> None:
    assert [error.message for error in validator.iter_errors(as_json(DEFAULT))] == []


def test_the_examples_of_the_documentation_are_valid(validator: Draft7Validator) -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    blocks = [part.split("```")[0] for page in pages for part in page.read_text("utf-8").split("```yaml\n")[1:]]
    examples = [parsed for block in blocks if set(parsed := as_json(block)) <= set(as_json(DEFAULT))]
    assert examples
    for example in examples:
        params = as_json(DEFAULT)
        for section, content in example.items():
            params[section] |= content
        assert [error.message for error in validator.iter_errors(params)] == []


@pytest.mark.parametrize("mistake", [*STRUCTURE, *CLASSES, *DATA], ids=str)
def test_a_mistake_is_invalid_unless_it_is_beyond_json_schema(validator: Draft7Validator, mistake: Mistake) -> None:
    edited = DEFAULT.replace(mistake.old, mistake.new, 1)
    assert edited != DEFAULT
    assert validator.is_valid(as_json(edited)) == bool(mistake.beyond_schema), mistake.beyond_schema


def in_yaml(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


@pytest.mark.parametrize(
    ("kind", "classes", "names"),
    [
        ("baselines", classifiers(), classifier_settings),
        *((kind, classes_of(module, base), keras_settings) for kind, (module, base) in KINDS.items()),
    ],
    ids=["classifiers", *KINDS],
)
def test_the_defaults_of_the_libraries_are_allowed(kind: str, classes: dict[str, type], names: Any) -> None:
    for name, cls in classes.items():
        parameters = inspect.signature(cls).parameters
        defaults = {key: parameters[key].default for key in names(cls) - UNSUITED if key in parameters}
        declared = {"class": name, **{key: value for key, value in defaults.items() if in_yaml(value)}}
        params = {
            "baselines": {"baselines": {"x": declared}, "nets": {}},
            "layers": {"baselines": {}, "nets": {"x": {"layers": {"x": declared}}}},
            "optimizer": {"baselines": {}, "nets": {"x": {"layers": {}, "optimizer": declared}}},
        }[kind]
        try:
            check_classes(params, read_definitions(FILE))
        except DeclarationError as error:
            assert all(mistake.text.startswith("missing") for mistake in error.mistakes), error


@pytest.mark.parametrize(
    ("classifier", "setting", "expected"),
    [
        (KNeighborsClassifier, "n_neighbors", {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}),
        (LinearSVC, "C", {"type": "number", "exclusiveMinimum": 0.0}),
        (LinearSVC, "loss", {"enum": ["hinge", "squared_hinge"]}),
        (LinearSVC, "random_state", {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (LinearSVC, "fit_intercept", {"type": "boolean"}),
    ],
)
def test_the_private_constraints_of_scikit_learn_are_read(classifier: type, setting: str, expected: Any) -> None:
    assert allowed_values(classifier, setting) == expected, (
        "scikit-learn has changed its private constraints of parameters; adapt `allowed_values` of tools/params_schema"
    )
