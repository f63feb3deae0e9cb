"""The leaderboard as a table for people: its columns, in Markdown and on the page, and the notes below it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from stages.shared.charts.number_format import number, percent

Row = Mapping[str, Any]

SIGNIFICANT = 0.05  # two-sided level of the McNemar test
AT_CHANCE = " ⚠"  # beside the name of a model no better than chance


class Column(NamedTuple):
    """One column of the table.

    Attributes
    ----------
    title : str
        Its heading.
    text : callable
        Row of the leaderboard -> the cell's text.
    align : {"left", "right", "center"}
        Alignment of the cells.
    """

    title: str
    text: Callable[[Row], str]
    align: str = "right"


def verdict(row: Row) -> str:
    """Compare a model with the best in words, by McNemar's test at the level `SIGNIFICANT`."""
    p = row["mcnemar_p"]
    if p is None:
        return "the best"
    if p >= SIGNIFICANT:
        words = "no clear difference"
    else:
        words = "worse" if row["only_best_right"] > row["only_this_right"] else "better"
    probability = "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
    return f"{words} ({row['only_best_right']} : {row['only_this_right']}, {probability})"


def _interval(row: Row) -> str:
    return f"{percent(row['test_accuracy_low'])} – {percent(row['test_accuracy_high'])}"


COLUMNS = (
    Column("model", lambda row: row["model"] + (AT_CHANCE if row.get("chance_level") is not None else ""), "left"),
    Column("validation", lambda row: percent(row["validation_accuracy"])),
    Column("test", lambda row: percent(row["test_accuracy"])),
    Column("95 % interval", _interval, "center"),
    Column("errors", lambda row: number(row["test_errors"], ",")),
    Column("F1", lambda row: number(row["test_f1"], ".4f")),
    Column("log loss", lambda row: number(row["test_log_loss"], ".4f")),
    Column("parameters", lambda row: number(row["parameters"], ",")),
    Column("against the best", verdict, "left"),
)


def notes(rows: Sequence[Row], n: int) -> list[str]:
    """Return the paragraphs below the table.

    Parameters
    ----------
    rows : sequence of mapping
        The leaderboard.
    n : int
        Number of test images.
    """
    validated = all(row["validation_accuracy"] is not None for row in rows)
    decides = "validation accuracy, which decides" if validated else "test accuracy"
    paragraphs = [
        f"Sorted by {decides}. Test: {n:,} images; the interval is Wilson's. Against the best: test images that only "
        f"the best and only this model gets right, and McNemar's exact test at the {SIGNIFICANT:.0%} level."
    ]
    level = next((row["chance_level"] for row in rows if row.get("chance_level") is not None), None)
    if level is not None:
        paragraphs.append(
            f"{AT_CHANCE.strip()} No better than chance: the interval does not lie above {percent(level)}, the share "
            "of the most frequent class."
        )
    return paragraphs
