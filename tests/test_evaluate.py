"""Metrics, significance tests and tables, against scikit-learn, published values and values counted by hand."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import classification_report, f1_score, log_loss, precision_score, recall_score

from stages.evaluate.__main__ import main
from stages.evaluate.leaderboard import as_markdown, as_table, leaderboard
from stages.evaluate.metrics import accuracy, confusion, mcnemar, model_metrics, per_class, report, wilson
from stages.shared.charts.leaderboard_columns import COLUMNS
from stages.shared.errors import UserError
from stages.shared.files import datasets, paths, tables, text_files
from stages.shared.files.predictions import Predictions, ScoreKind, save_facts, save_predictions

Codes = NDArray[np.int64]

FACTS = {"train_accuracy": 0.75, "parameters": 12, "epochs": 3}


def codes(*numbers: int) -> Codes:
    return np.array(numbers, np.int64)


NONE = (codes(), codes())


@pytest.fixture
def answers() -> tuple[Codes, Codes, NDArray[np.float32]]:
    """Actual codes of 500 images of 4 classes, probabilities, and predicted codes, their argmax."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 500)
    scores = rng.random((500, 4)).astype(np.float32) + 0.6 * np.eye(4, dtype=np.float32)[labels]
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    return labels, probabilities.argmax(axis=1), probabilities


# Intervals and tests


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        # R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998),
        # table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_has_published_values(right: int, n: int, low: float, high: float) -> None:
    assert wilson(right, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@pytest.mark.parametrize(("right", "n"), [(9_800, 10_000), (14_000, 14_000), (3, 7)])
def test_wilsons_interval_inverts_the_score_test(right: int, n: int) -> None:
    # Its ends are the proportions p with |right/n - p| = 1.96 standard errors under p.
    z = 1.959963984540054
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert wilson(right, n) == (pytest.approx(middle - half), pytest.approx(min(1, middle + half)))


def pair(only_first: int, only_second: int, both: int = 5, neither: int = 3) -> tuple[Codes, Codes, Codes]:
    """Return actual codes, and the codes that two models predict, with these counts."""
    first = codes(*[1] * only_first, *[0] * only_second, *[1] * both, *[0] * neither)
    second = codes(*[0] * only_first, *[1] * only_second, *[1] * both, *[0] * neither)
    return np.ones(len(first), np.int64), first, second


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (8, 2, 2 * (1 + 10 + 45) / 2**10),
        (2, 8, 2 * (1 + 10 + 45) / 2**10),
        (6, 0, 2 / 2**6),
        (1, 0, 1.0),
        (5, 5, 1.0),
        (0, 0, 1.0),
        (15, 5, 2 * sum(math.comb(20, k) for k in range(6)) / 2**20),
    ],
)
def test_mcnemars_exact_test_sums_both_tails(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(*pair(only_first, only_second)) == (only_first, only_second, pytest.approx(p, rel=1e-12))


def test_mcnemars_test_ignores_images_that_both_models_get_right_or_wrong() -> None:
    assert mcnemar(*pair(8, 2, both=0, neither=0)) == mcnemar(*pair(8, 2, both=900, neither=70))


def test_two_wrong_predictions_may_differ() -> None:
    assert mcnemar(codes(0, 0), codes(1, 0), codes(2, 1)) == (1, 0, 1.0)


# Metrics


def test_metrics_are_scikit_learns(answers: tuple[Codes, Codes, NDArray[np.float32]]) -> None:
    labels, predicted, probabilities = answers
    found = model_metrics((labels[:80], predicted[:80]), (labels, predicted), probabilities, FACTS, 4)
    right = int((labels == predicted).sum())
    assert 200 < right < 480
    exact = probabilities / probabilities.sum(axis=1, keepdims=True, dtype=np.float64)
    low, high = wilson(right, 500)
    expected = {
        "train_accuracy": 0.75,
        "validation_accuracy": pytest.approx((labels[:80] == predicted[:80]).mean()),
        "test_accuracy": pytest.approx(right / 500),
        "test_accuracy_low": low,
        "test_accuracy_high": high,
        "test_errors": 500 - right,
        "test_precision": pytest.approx(precision_score(labels, predicted, average="macro")),
        "test_recall": pytest.approx(recall_score(labels, predicted, average="macro")),
        "test_f1": pytest.approx(f1_score(labels, predicted, average="macro")),
        "test_log_loss": pytest.approx(log_loss(labels, exact), rel=1e-6),
        "parameters": 12,
    }
    assert {key: found[key] for key in expected} == expected
    assert all(type(value) in (float, int) for value in found.values())


def test_metrics_counted_by_hand() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], np.float32)
    found = model_metrics((codes(0), codes(1)), (codes(0, 0, 1, 2), codes(0, 1, 0, 2)), probabilities, FACTS, 3)
    assert (found["validation_accuracy"], found["test_accuracy"], found["test_errors"]) == (0.0, 0.5, 2)
    # Class 0: 1 of 2 predicted, 1 of 2 actual; class 1: none; class 2: all.
    assert found["test_precision"] == found["test_recall"] == found["test_f1"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert found["test_log_loss"] == pytest.approx(-(math.log(0.5) + math.log(0.25) + math.log(0.5) + 0) / 4)


def test_a_class_that_is_never_predicted_has_a_precision_of_0() -> None:
    found = model_metrics(NONE, (codes(0, 1, 2, 2), codes(0, 1, 1, 1)), None, FACTS, 3)
    assert found["test_precision"] == pytest.approx((1 + 1 / 3 + 0) / 3)
    assert found["test_recall"] == pytest.approx((1 + 1 + 0) / 3)


def test_a_class_without_test_images_has_a_recall_of_0() -> None:
    found = model_metrics(NONE, (codes(0, 1), codes(0, 1)), None, FACTS, 4)
    assert found["test_recall"] == 0.5
    table = per_class("x", codes(0, 1), codes(0, 1), ["a", "b", "c", "d"])
    assert table["recall"].tolist() == [1, 1, 0, 0] and table["support"].tolist() == [1, 1, 0, 0]


def test_every_model_has_the_same_keys() -> None:
    labels = codes(0, 1, 1)
    with_all = model_metrics((labels, labels), (labels, labels), np.eye(2, dtype=np.float32)[labels], FACTS, 2)
    with_none = model_metrics(NONE, (labels, labels), None, {**FACTS, "parameters": None}, 2)
    assert list(with_all) == list(with_none)
    assert [key for key, value in with_none.items() if value is None] == [
        "validation_accuracy",
        "test_log_loss",
        "parameters",
    ]
    assert with_all["test_log_loss"] == pytest.approx(0, abs=1e-6)


def test_probabilities_may_sum_to_1_approximately() -> None:
    labels = codes(0, 1)
    nearly = np.array([[0.7, 0.3001], [0.2, 0.8]], np.float32)
    found = model_metrics(NONE, (labels, labels), nearly, FACTS, 2)
    assert found["test_log_loss"] == pytest.approx(-(math.log(0.7 / 1.0001) + math.log(0.8)) / 2, rel=1e-6)


def test_a_class_without_test_images_keeps_its_column_in_the_log_loss() -> None:
    labels = codes(0, 1)
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]], np.float32)
    found = model_metrics(NONE, (labels, labels), probabilities, FACTS, 3)
    assert found["test_log_loss"] == pytest.approx(-(math.log(0.5) + math.log(0.25)) / 2)


@pytest.mark.parametrize("row", [[np.nan, np.nan], [0.0, 0.0]])
def test_undefined_probabilities_have_no_log_loss(row: list[float]) -> None:
    # LabelPropagation divides 0 by 0 where a test image is far from all others.
    labels = codes(0, 1)
    found = model_metrics(NONE, (labels, labels), np.array([[1.0, 0.0], row], np.float32), FACTS, 2)
    assert found["test_log_loss"] is None and found["test_accuracy"] == 1


def test_an_empty_set_has_no_accuracy() -> None:
    assert accuracy(codes(), codes()) is None
    assert accuracy(codes(1, 2), codes(1, 0)) == 0.5


def test_tables_per_class(answers: tuple[Codes, Codes, NDArray[np.float32]]) -> None:
    labels, predicted, _ = answers
    names = ["NA", "01", "x|y", "d"]
    table = per_class("sgd", labels, predicted, names)
    assert table.columns.tolist() == ["model", "class", "precision", "recall", "f1", "support"]
    assert table["class"].tolist() == names and set(table["model"]) == {"sgd"}
    for column, score in (("precision", precision_score), ("recall", recall_score), ("f1", f1_score)):
        np.testing.assert_allclose(table[column], score(labels, predicted, average=None))
    assert table["support"].tolist() == np.bincount(labels).tolist()
    text = report(labels, predicted, names)
    assert text == classification_report(labels, predicted, target_names=names, digits=4)


def test_the_report_has_a_row_of_zeros_for_an_absent_class() -> None:
    line = report(codes(0, 1), codes(0, 1), ["a", "b", "none"]).splitlines()[4]
    assert line.split() == ["none", "0.0000", "0.0000", "0.0000", "0"]


def test_confusion_has_actual_classes_as_rows_and_predicted_ones_as_columns() -> None:
    counts = confusion(codes(0, 0, 0, 1, 2), codes(0, 1, 1, 1, 0), 4)
    assert counts.tolist() == [[1, 2, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert counts.dtype == np.int64


# The leaderboard


LABELS = np.zeros(1000, np.int64)


def wrong(first: int, last: int) -> Codes:
    """Return predictions of `LABELS` that are wrong in a range of rows."""
    predicted = LABELS.copy()
    predicted[first:last] = 1
    return predicted


def ranked(
    models: dict[str, tuple[float | None, Codes]], parameters: int | None = 1234, loss: bool = False
) -> list[dict[str, Any]]:
    """Rank models by validation accuracy and predictions."""
    metrics = {}
    for name, (validation, predicted) in models.items():
        facts = {"train_accuracy": 1.0, "parameters": parameters}
        metrics[name] = model_metrics(NONE, (LABELS, predicted), None, facts, 2) | {"validation_accuracy": validation}
        if loss:
            metrics[name]["test_log_loss"] = 0.125
    return leaderboard(metrics, {name: predicted for name, (_, predicted) in models.items()}, LABELS)


def test_the_validation_accuracy_decides_not_the_test_accuracy() -> None:
    rows = ranked({"b": (0.9, wrong(0, 10)), "a": (0.99, wrong(0, 300)), "c": (0.95, wrong(0, 5))})
    assert [(row["place"], row["model"]) for row in rows] == [(1, "a"), (2, "c"), (3, "b")]
    metrics = model_metrics(NONE, (LABELS, LABELS), None, FACTS, 2)
    assert list(rows[0]) == ["place", "model", *metrics, "only_best_right", "only_this_right", "mcnemar_p"]


def test_ties_are_sorted_by_name() -> None:
    rows = ranked({"b": (0.9, wrong(0, 10)), "c": (0.9, wrong(0, 0)), "a": (0.9, wrong(0, 20))})
    assert [row["model"] for row in rows] == ["a", "b", "c"]


def test_without_a_validation_set_the_test_accuracy_decides() -> None:
    rows = ranked({"b": (None, wrong(0, 10)), "a": (None, wrong(0, 20)), "c": (None, wrong(0, 5))})
    assert [row["model"] for row in rows] == ["c", "b", "a"]


def test_every_other_model_is_compared_with_the_first() -> None:
    rows = ranked({"best": (0.9, wrong(0, 10)), "next": (0.8, wrong(5, 40))})
    assert [rows[0][key] for key in ("only_best_right", "only_this_right", "mcnemar_p")] == [None, None, None]
    only_best, only_next, p = mcnemar(LABELS, wrong(0, 10), wrong(5, 40))
    assert (rows[1]["only_best_right"], rows[1]["only_this_right"]) == (only_best, only_next) == (30, 5)
    assert rows[1]["mcnemar_p"] == p < 0.001


def test_counts_are_integers_in_the_table() -> None:
    rows = ranked({"best": (0.9, wrong(0, 10)), "next": (0.8, wrong(5, 40))})
    table = as_table(rows)
    assert table["only_best_right"].astype(object).tolist() == [pd.NA, 30]
    assert table["test_errors"].tolist() == [10, 35]
    text = table.to_csv(index=False)
    assert ",35," in text and "35.0" not in text


@pytest.mark.parametrize("parameters", [None, 5])
def test_a_table_of_one_model(parameters: int | None) -> None:
    table = as_table(ranked({"only": (None, wrong(0, 10))}, parameters))
    assert table["mcnemar_p"].isna().all() and table["only_this_right"].isna().all()
    assert table["parameters"].isna().all() == (parameters is None)


# 400 of 1,000 images are of the first class.
THREE = np.repeat([0, 1, 2], [400, 300, 300])


def judged(**right: int) -> list[dict[str, Any]]:
    """Rank models by how many images of `THREE` they get right."""
    metrics, predicted = {}, {}
    for name, number in right.items():
        predicted[name] = np.where(np.arange(1000) < number, THREE, (THREE + 1) % 3)
        facts = {"train_accuracy": 1.0, "parameters": 1}
        metrics[name] = model_metrics(NONE, (THREE, predicted[name]), None, facts, 3)
    return leaderboard(metrics, predicted, THREE)


@pytest.mark.parametrize(
    # The lower end of Wilson's interval is at most 0.4 for 430 right of 1,000, and more for 431.
    ("right", "flagged"),
    [(0, True), (333, True), (400, True), (430, True), (431, False), (1000, False)],
)
def test_a_model_no_better_than_the_most_frequent_class_is_flagged(right: int, flagged: bool) -> None:
    rows = {row["model"]: row for row in judged(good=1000, a=right)}
    assert (rows["a"]["test_accuracy_low"] <= 0.4) == flagged
    assert rows["a"].get("chance_level") == (0.4 if flagged else None)
    # The others are not, and without such a model there is no such column.
    assert rows["good"].get("chance_level") is None
    assert all(("chance_level" in row) == flagged for row in rows.values())
    assert ("chance_level" in as_table([*rows.values()])) == flagged


def test_a_single_class_has_no_chance_level() -> None:
    assert "chance_level" not in ranked({"only": (None, wrong(0, 1000))})[0]


def test_the_markdown_table_flags_models_no_better_than_chance() -> None:
    text = as_markdown(judged(good=900, best=990, bad=400), 1000)
    table, *notes = text.split("\n\n")
    rows = [cells(line) for line in table.splitlines()[2:]]
    assert [row[0] for row in rows] == ["**best**", "good", "bad ⚠"]
    assert [len(row) for row in rows] == [len(COLUMNS)] * 3
    assert [note.strip()[-1] for note in notes] == [".", "."]
    assert notes[-1].startswith("⚠") and "40.00 %" in notes[-1]
    assert "⚠" not in as_markdown(judged(good=900, best=990), 1000)


def cells(line: str) -> list[str]:
    assert line.startswith("| ") and line.endswith(" |")
    return [cell.strip() for cell in line[1:-1].split("|")]


def test_the_markdown_table_is_well_formed() -> None:
    models = {
        "best": (0.99, wrong(0, 10)),
        "same": (0.98, wrong(1, 11)),
        "worse": (0.97, wrong(0, 500)),
        "close": (0.96, wrong(0, 17)),
        "better": (0.5, wrong(0, 0)),
    }
    text = as_markdown(ranked(models, loss=True), 1000)
    head, rule, *body = text.split("\n\n")[0].splitlines()
    titles = cells(head)
    assert titles == [column.title for column in COLUMNS]
    assert [set(cell) <= {"-", ":"} for cell in rule.strip("|").split("|")] == [True] * len(titles)
    rows = [dict(zip(titles, cells(line), strict=True)) for line in body]
    expected = {
        "model": "**best**",
        "validation": "99.00 %",
        "test": "99.00 %",
        "95 % interval": "98.17 % – 99.46 %",
        "errors": "10",
        "F1": "0.4975",
        "log loss": "0.1250",
        "parameters": "1,234",
        "against the best": "the best",
    }
    assert {title: rows[0][title] for title in expected} == expected
    assert [row["against the best"] for row in rows[1:]] == [
        "no clear difference (1 : 1, p = 1.0000)",
        "worse (490 : 0, p < 0.0001)",
        "worse (7 : 0, p = 0.0156)",
        "better (0 : 10, p = 0.0020)",
    ]
    note = text.split("\n\n")[1]
    assert "validation accuracy" in note and "1,000 images" in note and note.endswith(".\n")


@pytest.mark.parametrize(
    ("p", "verdict"),
    [
        (0.05, "no clear difference (30 : 5, p = 0.0500)"),
        (0.0499, "worse (30 : 5, p = 0.0499)"),
        (0.0001, "worse (30 : 5, p = 0.0001)"),
        (0.00009, "worse (30 : 5, p < 0.0001)"),
    ],
)
def test_a_difference_is_significant_below_the_level(p: float, verdict: str) -> None:
    best, other = ranked({"best": (0.9, wrong(0, 10)), "next": (0.8, wrong(5, 40))})
    assert cells(as_markdown([best, other | {"mcnemar_p": p}], 1000).splitlines()[3])[-1] == verdict


def test_missing_values_are_dashes_in_the_markdown_table() -> None:
    text = as_markdown(ranked({"only": (None, wrong(0, 10))}, parameters=None), 1000)
    head, _, line = text.splitlines()[:3]
    row = dict(zip(cells(head), cells(line), strict=True))
    assert [row[title] for title in ("validation", "log loss", "parameters")] == ["–"] * 3
    assert "validation accuracy" not in text and "1,000 images" in text


# The stage

NAMES = ["NA", "01", "true"]


def store(name: str, validation: Codes, test: Codes, kind: ScoreKind, parameters: int | None) -> None:
    """Write the outputs of a training stage."""
    of = []
    for predicted in (validation, test):
        scores = np.empty((len(predicted), 0), np.float32)
        if kind == "probability":
            scores = np.full((len(predicted), 3), 0.25, np.float32)
            scores[np.arange(len(predicted)), predicted] = 0.5
        elif kind == "decision":
            scores = np.eye(3, dtype=np.float32)[predicted] - 0.5
        of.append(Predictions(predicted, scores, kind))
    save_predictions(name, *of)
    save_facts(name, {"parameters": parameters, "train_accuracy": 0.9, "train_rows_judged": 10})


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where three models have been trained and none has been evaluated."""
    monkeypatch.chdir(tmp_path)
    text_files.save_json(paths.DECLARED, {"baselines": ["linear", "dummy"], "nets": ["net"]})
    images = np.zeros((6, 4, 4), np.float32)
    datasets.save_classes(NAMES, 4, 4)
    datasets.save_set("validation", images, codes(0, 1, 2, 0, 1, 2))
    datasets.save_set("test", images, codes(0, 0, 1, 1, 2, 2))
    store("linear", codes(0, 1, 2, 0, 1, 1), codes(0, 0, 1, 1, 2, 0), "decision", 51)
    store("dummy", codes(0, 0, 0, 0, 0, 0), codes(0, 0, 0, 0, 0, 0), "none", None)
    store("net", codes(0, 1, 2, 0, 1, 2), codes(0, 0, 1, 1, 1, 0), "probability", 51)
    text_files.save_json(paths.DUPLICATES, {"within_train": 1})
    text_files.save_text(paths.HISTORY.path("net"), "epoch,accuracy,loss\n1,0.5,1.0\n")
    text_files.save_text(paths.SUMMARIES.path("net"), "a summary\n")
    return tmp_path


def test_the_stage_copies_what_training_recorded(trained: Path) -> None:
    main()
    assert json.loads(paths.PUBLISHED_DUPLICATES.read_text()) == {"within_train": 1}
    assert [*paths.PUBLISHED_HISTORY.folder.iterdir()] == [paths.PUBLISHED_HISTORY.path("net")]
    assert paths.PUBLISHED_HISTORY.path("net").read_bytes() == paths.HISTORY.path("net").read_bytes()
    assert paths.PUBLISHED_SUMMARIES.path("net").read_bytes() == b"a summary\n"


def test_the_stage_evaluates_every_declared_model(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    found = {path.stem: json.loads(path.read_text()) for path in paths.METRICS.folder.iterdir()}
    assert set(found) == {"linear", "dummy", "net"}
    assert len({tuple(metrics) for metrics in found.values()}) == 1, "the same keys for every model"
    assert [found[name]["test_accuracy"] for name in ("linear", "dummy", "net")] == [0.833333, 0.333333, 0.666667]
    assert [found[name]["validation_accuracy"] for name in ("linear", "dummy", "net")] == [0.833333, 0.333333, 1.0]
    # A decision value is not a probability.
    assert found["linear"]["test_log_loss"] is None and found["dummy"]["test_log_loss"] is None
    expected = -(4 * math.log(0.5) + 2 * math.log(0.25)) / 6
    assert found["net"]["test_log_loss"] == pytest.approx(expected, abs=1e-6)
    assert json.loads(paths.SUMMARY.read_text()) == {"linear": 0.833333, "dummy": 0.333333, "net": 1.0}
    # The net is first: it was better on the validation set.
    assert capsys.readouterr().out.splitlines() == [
        "evaluate:  1. net: accuracy: validation 1.0000, test 0.6667",
        # Four of six images are too few.
        "evaluate: net is no better than chance: the most frequent class has a share of 0.3333",
        "evaluate:  2. linear: accuracy: validation 0.8333, test 0.8333",
        "evaluate:  3. dummy: accuracy: validation 0.3333, test 0.3333",
        "evaluate: dummy is no better than chance: the most frequent class has a share of 0.3333",
    ]


def test_the_tables_of_the_stage_have_the_class_names(trained: Path) -> None:
    main()
    confused = tables.load_table(paths.CONFUSION.path("linear"))
    assert confused.to_numpy().tolist() == [
        ["NA", "NA"],
        ["NA", "NA"],
        ["01", "01"],
        ["01", "01"],
        ["true", "true"],
        ["true", "NA"],
    ]
    table = tables.load_table(paths.PER_CLASS)
    assert table["class"].tolist() == NAMES * 3
    assert table["model"].tolist() == ["linear"] * 3 + ["dummy"] * 3 + ["net"] * 3
    assert table["recall"].tolist()[:3] == ["1.0", "1.0", "0.5"]
    assert "NA" in paths.CLASSIFICATION.path("net").read_text()
    counts = text_files.load_json(paths.CONFUSION_COUNTS)
    assert [*counts] == ["linear", "dummy", "net"]
    assert counts["linear"] == [[2, 0, 0], [0, 2, 0], [1, 0, 1]]
    assert counts["net"] == [[2, 0, 0], [0, 2, 0], [1, 1, 0]]


def test_the_leaderboard_of_the_stage_is_the_same_in_three_formats(trained: Path) -> None:
    main()
    rows = text_files.load_json(paths.LEADERBOARD)
    assert [row["model"] for row in rows] == ["net", "linear", "dummy"]
    table = tables.load_table(paths.LEADERBOARD_CSV)
    assert table["model"].tolist() == ["net", "linear", "dummy"]
    assert table["parameters"].tolist() == ["51", "51", ""]
    text = paths.LEADERBOARD_MD.read_text(encoding="utf-8")
    assert [cells(line)[0] for line in text.splitlines()[2:5]] == ["**net** ⚠", "linear", "dummy ⚠"]
    assert "6 images" in text


def test_the_stage_writes_the_same_bytes_every_time(trained: Path) -> None:
    main()
    first = {path: path.read_bytes() for path in Path("reports").rglob("*") if path.is_file()}
    main()
    assert first == {path: path.read_bytes() for path in Path("reports").rglob("*") if path.is_file()}
    assert len(first) == 6 + 3 + 3 * 3


def test_without_a_validation_set_the_stage_ranks_by_the_test_set(trained: Path) -> None:
    datasets.save_set("validation", np.zeros((0, 4, 4), np.float32), codes())
    store("linear", codes(), codes(0, 0, 1, 1, 2, 0), "decision", 51)
    store("dummy", codes(), codes(0, 0, 0, 0, 0, 0), "none", None)
    store("net", codes(), codes(0, 0, 1, 1, 1, 0), "probability", 51)
    main()
    rows = text_files.load_json(paths.LEADERBOARD)
    assert [(row["model"], row["validation_accuracy"]) for row in rows] == [
        ("linear", None),
        ("net", None),
        ("dummy", None),
    ]


def test_the_stage_names_a_model_that_has_not_been_trained(trained: Path) -> None:
    paths.PREDICTIONS.path("net").unlink()
    with pytest.raises(UserError, match=r"models/predictions/net\.npz is missing.*'dvc repro'"):
        main()


def test_the_stage_needs_a_declared_model(trained: Path) -> None:
    text_files.save_json(paths.DECLARED, {"baselines": [], "nets": []})
    with pytest.raises(UserError) as caught:
        main()
    assert all(text in str(caught.value) for text in ("params.yaml", "baselines", "nets"))
    assert paths.PREDICTIONS.path("net").exists()
