"""The benchmark's figures as Markdown."""

from collections.abc import Mapping
from typing import Any

# What ours is allowed to differ in: nothing, or only in how the same layers are trained.
SAME, TO_ACCURACY = "same work", "time to its accuracy"


def benchmark_table(models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a row a model: seconds of both ways, ratio, accuracies, memory.

    Parameters
    ----------
    models : mapping
        Model -> what `benchmarks.__main__` measured of it.
    """
    lines = [
        "| model | compared | the notebook: fit + predict | here | faster | accuracy there | here | memory |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, row in models.items():
        here = row["ours"]
        cells = [
            name,
            row["compared"],
            _seconds(row["notebook"]) if row["notebook"] else "–",
            _seconds(here),
            f"**{row['ratio']:.1f} times**" if row["ratio"] else "–",
            f"{row['target_accuracy']:.4f}{'' if row['target_measured'] else ' ²'}" if row["target_accuracy"] else "–",
            _accuracy(here),
            f"{here['peak_memory_mb'] / 1000:.2f} GB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    notes = [
        "The notebook's cells and ours run one after the other on the same machine, on the notebook's 56,000 training "
        "and 14,000 test digits, each in a process of its own; seconds of wall-clock time, without imports, of a net "
        "with making and compiling it. "
        f"*{SAME.capitalize()}*: the same model with the same settings. *{TO_ACCURACY.capitalize()}*: the same "
        "layers, trained by a recipe that was chosen on validation digits alone; time and accuracy are means over "
        "seeds that took no part in choosing it. Memory: the largest process of ours.",
    ]
    if any(row["notebook"] and not row["notebook"]["whole"] for row in models.values()):
        notes.append("¹ Reckoned from its first two epochs, as it takes more than five minutes.")
    if any(row["target_accuracy"] and not row["target_measured"] for row in models.values()):
        notes.append("² Of a run of the cell to its end on another machine.")
    return "\n".join(lines) + "\n\n" + "\n\n".join(notes) + "\n"


def remarks(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a list item on each model whose predictions can be compared, or that has no cell to be compared with."""
    lines = []
    for name, row in models.items():
        here = row["ours"]
        if row["predictions_that_differ"] is not None:
            lines.append(f"- {name}: {row['predictions_that_differ']:,} of the 14,000 predictions are not the cell's.")
        elif not row["notebook"]:
            longest, reached = here["longest_fit_seconds"], here["accuracies"]
            lines.append(
                f"- {name}: the slowest of its {len(reached)} trainings took {longest:,.1f} s; accuracies from "
                f"{min(reached):.4f} to {max(reached):.4f}."
            )
    return lines


def recipe_table(recipes: Mapping[str, str]) -> str:
    """Return net -> recipe as a table."""
    return (
        "\n".join(["| net | recipe |", "|---|---|", *(f"| {name} | {recipe} |" for name, recipe in recipes.items())])
        + "\n"
    )


def step_table(steps: Mapping[str, Mapping[str, float]]) -> str:
    """Return the milliseconds of a training step of each net, each way, and how often ours, the last, fits into it."""
    lines = ["| one step on 256 digits | milliseconds | ours fits into it |", "|---|--:|--:|"]
    for name, ways in steps.items():
        ours = list(ways.values())[-1]
        lines += [f"| {name}, {what} | {value:.0f} | {value / ours:.1f} times |" for what, value in ways.items()]
    return "\n".join(lines) + "\n"


def pipeline_table(pipeline: Mapping[str, Any], notebook_seconds: float | None) -> str:
    """Return what whole runs cost.

    Parameters
    ----------
    pipeline : mapping
        As `benchmarks.pipeline.whole_runs` returns it.
    notebook_seconds : float or None
        All cells of the notebook together, if all were measured.
    """
    cold, stages = pipeline["cold_seconds"], pipeline["stage_seconds"]
    hungriest = max(pipeline["stage_memory_mb"], key=pipeline["stage_memory_mb"].__getitem__)
    without = cold - stages["train-baselines@svc-rbf"]
    own = without - sum(stages[f"train-nets@{name}"] for name in pipeline["added"])
    lines = ["| the whole pipeline | seconds | |", "|---|--:|---|"]

    def against(seconds: float) -> str:
        return f"{notebook_seconds / seconds:.1f} times faster than the notebook's cells" if notebook_seconds else ""

    if notebook_seconds:
        lines.append(f"| the notebook's cells, one after the other | {notebook_seconds:,.0f} | |")
    lines += [
        f"| `dvc repro`, cold, {pipeline['stages']} stages | {cold:,.0f} | |",
        f"| … without svc-rbf, which the notebook does not run | {without:,.0f} | {against(without)} |",
        f"| … and without {' and '.join(pipeline['added'])} | {own:,.0f} | {against(own)} |",
        f"| `dvc repro`, nothing to do | {pipeline['no_op_seconds']:.1f} | "
        f"{pipeline['no_op_seconds'] / pipeline['empty_no_op_seconds']:.2f} times an empty pipeline of as many stages "
        f"({pipeline['empty_no_op_seconds']:.1f} s) |",
        f"| one net changed (`{pipeline['one_net']}`) | {pipeline['one_net_seconds']:.0f} | |",
        "",
        f"No stage takes more memory than {hungriest}: {pipeline['stage_memory_mb'][hungriest] / 1000:.2f} GB.",
    ]
    return "\n".join(lines) + "\n"


def _accuracy(here: Mapping[str, Any]) -> str:
    if not here["seeds"]:
        return f"{here['accuracy']:.4f}"
    split = ", official split" if here["split"] == "official" else ""
    return f"{here['accuracy']:.4f} (mean of {len(here['seeds'])} seeds{split})"


def _seconds(measured: Mapping[str, Any]) -> str:
    mark = "" if measured.get("whole", True) else " ¹"
    return f"{_figure(measured['fit_seconds'])} + {_figure(measured['predict_seconds'])} s{mark}"


def _figure(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}" if seconds >= 0.1 else f"{seconds:.2f}"
