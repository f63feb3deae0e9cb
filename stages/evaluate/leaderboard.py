"""The ranking of all models, as data, as a table and in Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.evaluate.metrics import chance, mcnemar
from stages.shared.charts.leaderboard_columns import COLUMNS, notes

Codes = NDArray[np.int64]


def leaderboard(
    metrics: Mapping[str, Mapping[str, Any]], predicted: Mapping[str, Codes], labels: Codes
) -> list[dict[str, Any]]:
    """Rank the models and compare each with the first.

    Parameters
    ----------
    metrics : mapping of str to mapping
        Model -> its metrics, as `model_metrics` returns them.
    predicted : mapping of str to ndarray of int64, shape (n,)
        Model -> the codes it predicts for the test images.
    labels : ndarray of int64, shape (n,)
        The actual codes.

    Returns
    -------
    list of dict
        One row per model, the best first: by validation accuracy, which decides, or by test accuracy where there is
        no validation set; ties by name. `only_best_right` and `only_this_right` count test images, `mcnemar_p` is the
        p-value of their difference; None for the best itself. If there are models no better than chance, all rows
        have `chance_level`: for such a model, whose interval does not lie above it, the share of the most frequent
        class, for the others None.
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
    """Return the leaderboard as a table in which integers with missing values stay integers."""
    whole = [key for key in rows[0] if all(row[key] is None or isinstance(row[key], int) for row in rows)]
    return pd.DataFrame(rows).astype(dict.fromkeys(whole, "Int64"))


def as_markdown(rows: list[dict[str, Any]], n: int) -> str:
    """Return the leaderboard as a Markdown table.

    Parameters
    ----------
    rows : list of dict
        As `leaderboard` returns them.
    n : int
        Number of test images.
    """
    rules = {"left": "---", "right": "--:", "center": ":-:"}
    lines = [
        f"| {' | '.join(column.title for column in COLUMNS)} |",
        f"|{'|'.join(rules[column.align] for column in COLUMNS)}|",
    ]
    for row in rows:
        name, *cells = (column.text(row) for column in COLUMNS)
        if row["place"] == 1:
            name = name.replace(row["model"], f"**{row['model']}**")
        lines.append(f"| {' | '.join([name, *cells])} |")
    return "\n".join(lines) + "".join(f"\n\n{note}" for note in notes(rows, n)) + "\n"
