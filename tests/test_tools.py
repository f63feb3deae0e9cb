"""The tools beside the pipeline: the generated README, the comparison of rebuilt metrics, the small experiment."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.shared.errors import UserError
from tests.fixtures.small_project import ROOT
from tools.agreement import disagreements
from tools.experiments import Row, differing, table
from tools.quick import EPOCHS, ROWS, command, settings
from tools.readme import generated, part, replaced, stage_graph


def test_the_readme_shows_the_leaderboard_the_benchmark_and_the_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = generated((ROOT / "README.md").read_text())
    assert (ROOT / "reports" / "leaderboard.md").read_text().strip() in text
    assert part(ROOT / "reports" / "benchmark.md", "models") in text
    # The stages are the project's; the figures may be those of another machine, or of a student's own model.
    assert text[text.index("<!-- stages -->") :] in (ROOT / "README.md").read_text(), "run 'make readme'"


def test_every_file_that_the_readme_links_to_is_there() -> None:
    text = (ROOT / "README.md").read_text()
    links = [part.split(")")[0] for part in text.split("](")[1:]]
    local = [link for link in links if "://" not in link and not link.startswith("#")]
    assert len(local) > 5
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_a_generated_part_is_replaced_between_its_marks() -> None:
    text = "a\n<!-- table -->\nold\n<!-- /table -->\nb\n"
    assert replaced(text, "table", "new\n") == "a\n<!-- table -->\n\nnew\n\n<!-- /table -->\nb\n"
    with pytest.raises(UserError, match="has no lines '<!-- other -->'"):
        replaced(text, "other", "new")


def test_a_part_of_another_file_is_what_stands_between_its_marks(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    file.write_text("a\n\n<!-- table -->\n\nrows\nmore\n\n<!-- /table -->\n\nb\n")
    assert part(file, "table") == "rows\nmore"
    with pytest.raises(UserError, match="has no lines '<!-- other -->'"):
        part(file, "other")


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
    parts = command("quick", settings({"long": 50, "short": 1}))
    assert f"split.rows={ROWS}" in parts
    assert f"nets.long.epochs={EPOCHS}" in parts
    assert "nets.short.epochs=1" in parts
    assert "--temp" in parts


def test_the_default_models_and_any_number_of_settings_fit_on_120_columns() -> None:
    declared = YAML(typ="safe").load((ROOT / "params.yaml").read_text())
    models = [*declared["baselines"], *declared["nets"]]
    before = {"nets": declared["nets"]}
    after = {"nets": {name: {**net, "epochs": 3, "batch_size": 7} for name, net in declared["nets"].items()}}
    after["nets"]["new"] = declared["nets"]["deep-cnn"]
    found = [
        Row("workspace", dict.fromkeys(models, 0.98765), []),
        Row("  rowdy-dato (running)", dict.fromkeys(models, 0.9), differing(before, after)),
    ]
    lines = table(found, 120).splitlines()
    assert lines[0].split() == models, "one column a model, in one row"
    assert lines[1].split() == ["workspace", *["0.9877"] * len(models)]
    assert max(map(len, lines)) <= 120
    assert len(found[1].settings) == 2 * len(declared["nets"]) + 1
    assert "".join(lines[4:]).replace(" ", "") == "".join(["rowdy-dato(running)", *found[1].settings]).replace(" ", "")


def test_a_table_that_is_too_wide_is_folded() -> None:
    found = [
        Row("main", {"one-model": 0.5, "another": 0.25}, []),
        Row("  less", {"another": 0.75}, ["~nets.one-model"]),
    ]
    assert table(found, 20) == (
        "        one-model\n"
        "main       0.5000\n"
        "  less          -\n"
        "\n"
        "        another\n"
        "main     0.2500\n"
        "  less   0.7500\n"
        "\n"
        "  less  ~nets.one-mo\n"
        "          del"
    )


def test_settings_that_differ_are_in_the_words_of_the_command_line() -> None:
    before = {"split": {"rows": None, "test": 0.2}, "nets": {"a": {"epochs": 2}, "b": {"epochs": 3}}}
    after = {
        "split": {"rows": 40, "test": 0.2},
        "nets": {"a": {"epochs": 2, "seed": None}, "c": {"layers": {"x": [1, 2]}}},
    }
    assert differing(before, after) == [
        "split.rows=40",
        "+nets.a.seed=null",
        "~nets.b",
        "+nets.c={layers: {x: [1, 2]}}",
    ]
