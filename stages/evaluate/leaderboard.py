"""All models in one table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.evaluate.metrics import chance, mcnemar

Codes = NDArray[np.int64]

SIGNIFICANT = 0.05  # two-sided level of the McNemar test
CHANCE = " ⚠"  # beside the name of a model no better than chance


def leaderboard(
    metrics: Mapping[str, Mapping[str, Any]], predicted: Mapping[str, Codes], labels: Codes
) -> list[dict[str, Any]]:
    """Rank the models and compare each with the first.

    Parameters
    ----------
    metrics : mapping of str to mapping
        Model -> what `model_metrics` returned.
    predicted : mapping of str to ndarray of int64, shape (n,)
        Model -> the codes it predicts for the test images.
    labels : ndarray of int64, shape (n,)
        The right codes.

    Returns
    -------
    list of dict
        A row a model, the best first: by validation accuracy, which decides, or by test accuracy where there is no
        validation set; equals by name. `only_best_right` and `only_this_right` count test images, `mcnemar_p` is the
        probability of such a difference between equally good models; None for the best itself. If there are models
        no better than chance, all rows have `chance_level`: theirs the share of the most frequent class, which their
        interval does not lie above, the others None.
    """

    def rank(name: str) -> tuple[float, str]:
        row = metrics[name]
        decisive = row["test_accuracy"] if row["validation_accuracy"] is None else row["validation_accuracy"]
        return -decisive, name

    order = sorted(metrics, key=rank)
    rows = []
    for place, name in enumerate(order, start=1):
        only_best, only_this, p = mcnemar(labels, predicted[order[0]], predicted[name])
        best = place == 1
        rows.append(
            {
                "place": place,
                "model": name,
                **metrics[name],
                "only_best_right": None if best else only_best,
                "only_this_right": None if best else only_this,
                "mcnemar_p": None if best else p,
            }
        )
    level = chance(labels)
    at_chance = [level if level is not None and row["test_accuracy_low"] <= level else None for row in rows]
    if any(at_chance):
        rows = [{**row, "chance_level": share} for row, share in zip(rows, at_chance, strict=True)]
    return rows


def as_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Turn the leaderboard into a table whose counts stay whole numbers."""
    whole = ("parameters", "test_errors", "only_best_right", "only_this_right")
    return pd.DataFrame(rows).astype(dict.fromkeys(whole, "Int64"))


def as_markdown(rows: list[dict[str, Any]], n: int) -> str:
    """Write the leaderboard as a Markdown table.

    Parameters
    ----------
    rows : list of dict
        As `leaderboard` returns them.
    n : int
        Number of test images.
    """
    lines = [
        "| model | validation | test | 95 % interval | errors | F1 | log loss | parameters | against the best |",
        "|---|--:|--:|:-:|--:|--:|--:|--:|---|",
    ]
    level = None
    for row in rows:
        flag = ""
        if row.get("chance_level") is not None:
            flag, level = CHANCE, row["chance_level"]
        cells = [
            (f"**{row['model']}**" if row["place"] == 1 else row["model"]) + flag,
            _share(row["validation_accuracy"]),
            _share(row["test_accuracy"]),
            f"{_share(row['test_accuracy_low'])} – {_share(row['test_accuracy_high'])}",
            f"{row['test_errors']:,}",
            f"{row['test_f1']:.4f}",
            "–" if row["test_log_loss"] is None else f"{row['test_log_loss']:.4f}",
            "–" if row["parameters"] is None else f"{row['parameters']:,}",
            _verdict(row),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    validated = all(row["validation_accuracy"] is not None for row in rows)
    decides = "validation accuracy, which decides" if validated else "test accuracy"
    note = (
        f"Sorted by {decides}. Test: {n:,} images; the interval is Wilson's. Against the best: test images that only "
        f"the best and only this model gets right, and McNemar's exact test at the {SIGNIFICANT:.0%} level."
    )
    if level is not None:
        note += (
            f"\n\n{CHANCE.strip()} No better than chance: the interval does not lie above "
            f"{_share(level)}, the share of the most frequent class."
        )
    return "\n".join(lines) + f"\n\n{note}\n"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def _verdict(row: Mapping[str, Any]) -> str:
    if row["mcnemar_p"] is None:
        return "the best"
    counts = f"{row['only_best_right']} : {row['only_this_right']}"
    p = row["mcnemar_p"]
    probability = "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
    if p >= SIGNIFICANT:
        return f"no clear difference ({counts}, {probability})"
    worse = row["only_best_right"] > row["only_this_right"]
    return f"{'worse' if worse else 'better'} ({counts}, {probability})"
