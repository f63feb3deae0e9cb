"""Metrics, tests of significance and the leaderboard."""

import json
from math import comb, sqrt
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from stages.evaluate import __main__ as stage
from stages.evaluate.leaderboard import as_markdown, as_table, leaderboard
from stages.evaluate.metrics import accuracy, confusion, mcnemar, model_metrics, per_class, report, wilson
from stages.store.arrays import save_array, save_classes
from stages.store.places import SPLIT
from stages.store.predictions import Predictions, save_facts, save_predictions

FACTS = {"train_accuracy": 0.9, "parameters": None}


def predictions(n: int = 200, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and what a model with probabilities makes of them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    scores = random.random((n, classes)) + 1.5 * np.eye(classes)[labels] * (random.random((n, 1)) < 0.8)
    probabilities = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    return labels, probabilities.argmax(axis=1), probabilities


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (81, 263), (13_442, 14_000)])
def test_wilson_is_the_formula_of_the_textbooks(right: int, n: int) -> None:
    z, p = 1.959963984540054, right / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson(right, n) == pytest.approx((centre - half, centre + half), abs=1e-9)


def test_wilson_agrees_with_a_published_interval() -> None:
    # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
    # table I: 81 of 263, score method without continuity correction.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_mcnemar_counts_where_one_model_alone_is_right() -> None:
    labels = np.zeros(20, int)
    first, second = labels.copy(), labels.copy()
    second[:9] = 1  # the first alone is right
    first[9:11] = 1  # the second alone
    first[11:13] = second[11:13] = 1  # neither
    only_first, only_second, p = mcnemar(labels, first, second)
    assert (only_first, only_second) == (9, 2)
    assert p == pytest.approx(2 * sum(comb(11, k) for k in range(3)) / 2**11)
    assert mcnemar(labels, first, first) == (0, 0, 1.0)


def test_metrics_are_those_of_scikit_learn() -> None:
    labels, predicted, probabilities = predictions()
    metrics = model_metrics((labels[:50], predicted[:50]), (labels, predicted), probabilities, FACTS, 4)
    assert metrics["test_accuracy"] == np.mean(labels == predicted)
    assert metrics["validation_accuracy"] == np.mean(labels[:50] == predicted[:50])
    assert metrics["test_errors"] == np.sum(labels != predicted)
    assert metrics["test_f1"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    exact = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    assert metrics["test_log_loss"] == pytest.approx(log_loss(labels, exact))
    assert metrics["test_accuracy_low"] < metrics["test_accuracy"] < metrics["test_accuracy_high"]


def test_every_model_has_the_same_metrics_whatever_it_can_give() -> None:
    labels, predicted, probabilities = predictions()
    nothing = np.array([], int)
    full = model_metrics((labels, predicted), (labels, predicted), probabilities, FACTS, 4)
    bare = model_metrics((nothing, nothing), (labels, predicted), None, {**FACTS, "parameters": 7}, 4)
    assert list(full) == list(bare)
    assert bare["test_log_loss"] is None
    assert bare["validation_accuracy"] is None
    assert bare["parameters"] == 7


def test_a_class_that_is_never_predicted_counts_as_nought_and_warns_not() -> None:
    labels, predicted = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 1])
    metrics = model_metrics((labels, predicted), (labels, predicted), None, FACTS, 3)
    assert metrics["test_recall"] == pytest.approx((1 + 1 + 0) / 3)
    assert "     shoe     0.0000    0.0000    0.0000         2" in report(labels, predicted, ["a", "b", "shoe"])
    table = per_class("model", labels, predicted, ["a", "b", "shoe"])
    assert table["f1"].tolist() == pytest.approx([1, 0.5, 0])
    assert table["support"].tolist() == [1, 1, 2]
    assert confusion(labels, predicted, 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 2, 0]]


def test_accuracy_of_nothing_is_none() -> None:
    assert accuracy(np.array([], int), np.array([], int)) is None


def board(validation: dict[str, float | None], test: dict[str, float]) -> list[dict]:
    """A leaderboard of models with these accuracies on 1,000 images."""
    labels = np.zeros(1_000, int)
    predicted = {name: (np.arange(1_000) >= round(1_000 * share)).astype(int) for name, share in test.items()}
    metrics = {}
    for name, share in validation.items():
        metrics[name] = model_metrics((labels[:0],) * 2, (labels, predicted[name]), None, FACTS, 2)
        metrics[name]["validation_accuracy"] = share
    return leaderboard(metrics, predicted, labels)


def test_validation_decides_and_the_test_set_does_not() -> None:
    rows = board({"a": 0.9, "b": 0.95, "c": 0.95}, {"a": 0.99, "b": 0.90, "c": 0.80})
    assert [row["model"] for row in rows] == ["b", "c", "a"], "equals stand by name"
    assert [row["place"] for row in rows] == [1, 2, 3]
    assert rows[0]["mcnemar_p"] is None
    assert (rows[1]["only_best_right"], rows[1]["only_this_right"]) == (100, 0)
    assert rows[1]["mcnemar_p"] < 1e-9


def test_without_a_validation_set_test_accuracy_sorts() -> None:
    rows = board({"a": None, "b": None}, {"a": 0.5, "b": 0.6})
    assert [row["model"] for row in rows] == ["b", "a"]
    assert "Sorted by test accuracy." in as_markdown(rows, 1_000)


def test_the_markdown_table_says_who_is_worse() -> None:
    text = as_markdown(board({"a": 0.9, "b": 0.8, "c": 0.7}, {"a": 0.9, "b": 0.899, "c": 0.95}), 1_000)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1, "every row has as many cells"
    assert "| **a** | 90.00 % | 90.00 % |" in lines[2]
    assert "no clear difference (1 : 0, p = 1.0000)" in lines[3]
    assert "better (0 : 50, p < 0.0001)" in lines[4]
    assert "validation accuracy, which decides" in text


def test_the_csv_keeps_whole_numbers_whole() -> None:
    table = as_table(board({"a": 0.9, "b": 0.8}, {"a": 0.9, "b": 0.8})).to_csv(index=False)
    assert ",100," in table
    assert ",100.0," not in table


def test_files_of_models_that_are_gone_go_too_and_are_named(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "params.yaml").write_text("baselines:\n  kept: {class: GaussianNB}\nnets: {}\n")
    labels, predicted, probabilities = predictions()
    save_classes(["a", "b", "c", "NA"], 28, 28)
    for name in ("validation", "test"):
        save_array(SPLIT / name / "labels.npy", labels)
    answers = Predictions(predicted, probabilities, "probability")
    for name in ("kept", "gone"):
        save_predictions(name, answers, answers)
        save_facts(name, FACTS)
    stage.main()
    assert not list(workspace.rglob("gone.*"))
    assert "removed models/predictions/gone.npz" in capsys.readouterr().out
    assert json.loads(Path("reports/metrics/kept.json").read_text())["test_errors"] == np.sum(labels != predicted)
    assert json.loads(Path("reports/summary.json").read_text()) == {"kept": np.mean(labels == predicted)}
    assert "NA" in Path("reports/confusion/kept.csv").read_text()
