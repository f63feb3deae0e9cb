"""Random edits of params.yaml: models that can be trained, or clear sentences, and nothing else."""

import os
import re
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings

from tests.campaigns.params import ACCEPTED, FAILED, REFUSED, campaign, edited, outcome
from tests.fixtures.mistakes import line_with, message_pattern

DEFAULT = (ROOT / "params.yaml").read_text()

# More of them: EDITS=2000 pytest tests/test_random_edits.py. The same ones every time, so that CI is stable.
EDITS = int(os.environ.get("EDITS", "100"))


@settings(
    max_examples=EDITS,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=edited(DEFAULT))
def test_a_random_edit_is_in_order_or_a_clear_sentence(tmp_path: Path, text: str) -> None:
    kind, said = outcome(text, tmp_path, structure_only=True)
    assert kind != FAILED, said


def test_models_of_random_edits_can_be_made_or_are_refused_in_a_clear_sentence() -> None:
    edits = max(30, EDITS // 3)
    counts = campaign(edits)
    assert counts["went_wrong"] == []
    assert counts[ACCEPTED] + counts[REFUSED] == counts["edits"] >= edits * 0.9
    assert counts[ACCEPTED] >= 3 and counts[REFUSED] >= 3, "the edits are all too harmless, or too wild"


@pytest.mark.parametrize(
    ("old", "new", "kind", "place"),
    [
        ("epochs: 30", "epochs: 31", ACCEPTED, None),
        ("epochs: 30", "epochs: x", REFUSED, "nets.softmax.epochs"),
        ("\nnets:\n", "\nnets: [\n", REFUSED, ""),
    ],
)
def test_an_edit_is_judged_by_its_message(tmp_path: Path, old: str, new: str, kind: str, place: str | None) -> None:
    text = DEFAULT.replace(old, new, 1)
    found = outcome(text, tmp_path, structure_only=True)
    assert found.kind == kind
    if place:
        line = line_with(text, new)
        assert re.fullmatch(message_pattern(place, "'x'", "integer", line=line), found.text)
    else:
        assert found.text.startswith("params.yaml, line ") == (kind == REFUSED)


def test_an_exception_that_is_no_sentence_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(content: object) -> None:
        raise KeyError("nets")

    monkeypatch.setattr("tests.campaigns.params.check_structure", fail)
    kind, said = outcome(DEFAULT, tmp_path)
    assert kind == FAILED and said.startswith("Traceback") and said.endswith("KeyError: 'nets'\n")
