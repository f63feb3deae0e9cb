"""Random edits of params.yaml end in models that can be trained, or in one-line error messages."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from ruamel.yaml.comments import CommentedMap

from stages.check_params.structure import check_structure
from tests.campaigns.params import ACCEPTED, FAILED, REFUSED, campaign, edited, outcome
from tests.fixtures.small_project import PARAMS

DEFAULT = PARAMS.read_text()

# The same ones every time, so that CI is stable. More: EDITS=2000 pytest tests/test_random_edits.py
EDITS = int(os.environ.get("EDITS", "100"))


@settings(
    max_examples=EDITS,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=edited(DEFAULT))
def test_the_structure_of_a_random_edit_is_valid_or_refused(tmp_path: Path, text: str) -> None:
    kind, messages = outcome(text, tmp_path, check_structure)
    assert kind != FAILED, messages


def test_the_models_of_a_random_edit_are_valid_or_refused() -> None:
    edits = max(30, EDITS // 3)
    counts = campaign(edits)
    assert counts["went_wrong"] == []
    assert counts[ACCEPTED] + counts[REFUSED] == counts["edits"] >= edits * 0.9
    assert counts[ACCEPTED] >= 3 and counts[REFUSED] >= 3, "the edits are too harmless, or too wild"


@pytest.mark.parametrize(
    ("new", "kind", "key"),
    [
        ("epochs: 31", ACCEPTED, ""),
        ("epochs: x", REFUSED, "nets.softmax.epochs: is 'x'"),
        ("epochs: [", REFUSED, "not valid YAML"),
    ],
)
def test_the_outcome_of_an_edit_has_the_messages_of_the_stage(tmp_path: Path, new: str, kind: str, key: str) -> None:
    found = outcome(DEFAULT.replace("epochs: 30", new, 1), tmp_path, check_structure)
    assert found.kind == kind
    assert key in found.text


def test_an_unexpected_exception_is_a_failure(tmp_path: Path) -> None:
    def fail(content: CommentedMap) -> None:
        raise KeyError("nets")

    kind, text = outcome(DEFAULT, tmp_path, fail)
    assert kind == FAILED
    assert text.startswith("Traceback") and text.endswith("KeyError: 'nets'\n")
