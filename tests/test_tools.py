"""The tools beside the pipeline: the generated README, the comparison of rebuilt metrics, the small experiment."""

from pathlib import Path

import pytest
from pipelines import ROOT

from stages.console import UserError
from tools.agreement import disagreements
from tools.quick import EPOCHS, ROWS, command
from tools.readme import generated, replaced, stage_graph


def test_the_readme_shows_the_committed_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = Path("README.md").read_text()
    assert generated(text) == text, "run 'make readme'"
    assert "| **" in text, "the leaderboard is there"


def test_every_file_that_the_readme_links_to_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    local = [link for link in links if "://" not in link]
    assert len(local) > 5
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_a_generated_part_is_replaced_between_its_marks() -> None:
    text = "a\n<!-- table -->\nold\n<!-- /table -->\nb\n"
    assert replaced(text, "table", "new\n") == "a\n<!-- table -->\n\nnew\n\n<!-- /table -->\nb\n"
    with pytest.raises(UserError, match="has no lines '<!-- other -->'"):
        replaced(text, "other", "new")


def test_the_stage_graph_leaves_out_arrows_that_follow_from_others() -> None:
    graph = stage_graph(
        {
            "first": {"outs": ["data/a"]},
            "second": {
                "deps": ["data/a/part.npy"],
                "outs": [{"models/${item.name}.x": {"cache": False}}],
                "matrix": {},
            },
            "third": {"deps": ["data/a", "models"]},
        }
    )
    assert '    second["second@NAME"]' in graph
    assert "    first --> second" in graph
    assert "    second --> third" in graph
    assert "    first --> third" not in graph


def test_rebuilt_metrics_may_differ_by_half_a_point() -> None:
    committed = {"a": {"test_accuracy": 0.98}, "b": {"test_accuracy": 0.9}, "gone": {"test_accuracy": 0.5}}
    rebuilt = {"a": {"test_accuracy": 0.9764}, "b": {"test_accuracy": 0.9051}, "new": {"test_accuracy": 0.5}}
    assert disagreements(committed, rebuilt) == [
        "gone is on one side only",
        "new is on one side only",
        "b: test accuracy was 0.9000 and is 0.9051, more than 0.005 apart",
    ]
    assert disagreements(committed, committed) == []


def test_the_small_experiment_shortens_every_net() -> None:
    parts = command({"long": 50, "short": 1})
    assert f"split.rows={ROWS}" in parts
    assert f"nets.long.epochs={EPOCHS}" in parts
    assert "nets.short.epochs=1" in parts
    assert "--temp" in parts
