"""The measurements as Markdown tables."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

NONE = "–"
SAME, TO_ACCURACY = "same settings", "same layers, our recipe"


def table(heading: str, alignment: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; the heading has its columns divided by bars, as has the alignment."""
    return "\n".join(f"| {line} |" for line in (heading, alignment, *(" | ".join(cells) for cells in rows))) + "\n"


def benchmark_table(models: Mapping[str, Mapping[str, Any]], stage_seconds: Mapping[str, float]) -> str:
    """Return a table with one row per model: times of both programs and of the stage, accuracies, memory.

    Parameters
    ----------
    models : mapping
        Model -> its entry in reports/benchmark.json.
    stage_seconds : mapping of str to float
        Stage -> seconds in a run of the pipeline with the default params.yaml; may lack stages.
    """
    rows = []
    for name, row in models.items():
        theirs, ours = row["notebook"], row["ours"]
        target = row["target_accuracy"]
        stage = stage_seconds.get(f"train-{'nets' if ours['seeds'] else 'baselines'}@{name}")
        rows.append(
            [
                name,
                (TO_ACCURACY if ours["seeds"] else SAME) if theirs else NONE,
                _fit_and_predict(theirs) if theirs else NONE,
                _fit_and_predict(ours),
                f"**{_total(theirs) / _total(ours):.1f} times**" if theirs else NONE,
                f"{target:.4f}{'' if row['target_measured'] else ' ²'}" if target else NONE,
                _accuracy(ours),
                f"{ours['peak_memory_mb'] / 1000:.2f} GB",
                f"{_figure(stage)} s" if stage else NONE,
            ]
        )
    heading = (
        "model | compared with | notebook: fit + predict | this project: fit + predict | faster | "
        "accuracy of the notebook | accuracy of this project | peak memory | whole default stage"
    )
    notes = [
        "The notebook's cells and this project ran one after the other on the same machine, each model in a new "
        "process, on the notebook's 56,000 training and 14,000 test digits. Times are wall-clock times without "
        "imports; for nets they include building and compiling. "
        f"*{SAME.capitalize()}*: the same model with the same settings. *{TO_ACCURACY.capitalize()}*: the notebook's "
        "net, trained to the notebook's accuracy by a recipe that was chosen on validation digits only; time and "
        "accuracy are means over seeds that were not used to choose it. `make recipes` trains by these recipes on the "
        "training rows of `params.yaml`. "
        "*Whole default stage*: what `make repro` takes for the model, with the settings of `params.yaml` (for nets, "
        "the notebook's training with early stopping), including imports and all predictions."
    ]
    if any(row["notebook"] and not row["notebook"]["whole"] for row in models.values()):
        notes.append("¹ Extrapolated from its first two epochs, because it takes more than five minutes.")
    if any(row["target_accuracy"] and not row["target_measured"] for row in models.values()):
        notes.append("² From a complete run of the cell on another machine.")
    return (
        table(heading, "--- | --- | --: | --: | --: | --: | --: | --: | --:", rows) + "\n" + "\n\n".join(notes) + "\n"
    )


def remarks(models: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return list items about equal predictions, and about models without a cell in the notebook."""
    lines = []
    for name, row in models.items():
        ours = row["ours"]
        if row["predictions_that_differ"] is not None:
            lines.append(f"- {name}: {row['predictions_that_differ']:,} of 14,000 predictions differ from the cell's.")
        elif not row["notebook"]:
            accuracies = ours["accuracies"]
            lines.append(
                f"- {name}: the slowest of {len(accuracies)} trainings took {ours['longest_fit_seconds']:,.1f} s; "
                f"accuracies from {min(accuracies):.4f} to {max(accuracies):.4f}."
            )
    return lines


def step_table(steps: Mapping[str, Mapping[str, float]]) -> str:
    """Return a table of the milliseconds per training step; the last method of each net is this project's."""
    rows = [
        [name, method, f"{value:.0f}", f"{value / list(methods.values())[-1]:.1f}"]
        for name, methods in steps.items()
        for method, value in methods.items()
    ]
    return table("net | method | milliseconds per step | relative to this project", "--- | --- | --: | --:", rows)


def pipeline_table(pipeline: Mapping[str, Any], added: Sequence[str], notebook_seconds: float | None) -> str:
    """Return a table of the costs of whole runs.

    Parameters
    ----------
    pipeline : mapping
        As returned by `benchmarks.pipeline.whole_runs`.
    added : sequence of str
        The nets that are not the notebook's.
    notebook_seconds : float or None
        Total of the notebook's cells, if all were measured.
    """
    cold, stages, memory = pipeline["cold_seconds"], pipeline["stage_seconds"], pipeline["stage_memory_mb"]
    largest = max(memory, key=lambda stage: memory[stage])
    without_svc = cold - stages["train-baselines@svc-rbf"]
    notebook_models = without_svc - sum(stages[f"train-nets@{name}"] for name in added)

    def compared(seconds: float) -> str:
        return f"{notebook_seconds / seconds:.1f} times faster than the notebook" if notebook_seconds else ""

    rows = [
        [f"`dvc repro`, nothing run before, {pipeline['stages']} stages", f"{cold:,.0f}", ""],
        ["… without svc-rbf, which the notebook does not run", f"{without_svc:,.0f}", compared(without_svc)],
        [f"… and without {' and '.join(added)}", f"{notebook_models:,.0f}", compared(notebook_models)],
        ["`dvc repro`, nothing to do", f"{pipeline['no_op_seconds']:.1f}", ""],
        [f"one net changed (`{pipeline['one_net']}`)", f"{pipeline['one_net_seconds']:.0f}", ""],
    ]
    if notebook_seconds:
        rows.insert(0, ["the notebook's cells, one after the other", f"{notebook_seconds:,.0f}", ""])
    return (
        table("run | seconds | compared with the notebook", "--- | --: | ---", rows)
        + f"\nThe stage with the largest peak memory is {largest}: {memory[largest] / 1000:.2f} GB.\n"
    )


def edit_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a table of the rows that `benchmarks.edit.edit_to_result` returns."""
    cells = [[row["run"], f"{row['seconds']:.1f}", f"{row['imports']:.1f}", f"{row['bar']:g}"] for row in rows]
    return table("run | seconds | imports | at most", "--- | --: | --: | --:", cells)


def at_once_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return a table of the rows that the functions of `benchmarks.at_once` return."""
    cells = [
        [
            row["run"],
            NONE if row["serial_seconds"] is None else f"{_figure(row['serial_seconds'])} s",
            f"{_figure(row['seconds'])} s",
            row["figure"],
            row["bar"] if row["met"] else f"{row['bar']}: missed",
        ]
        for row in rows
    ]
    return table("run | `dvc repro` | at once | that is | bar", "--- | --: | --: | --- | ---", cells)


def _total(measured: Mapping[str, Any]) -> float:
    return float(measured["fit_seconds"] + measured["predict_seconds"])


def _accuracy(ours: Mapping[str, Any]) -> str:
    if not ours["seeds"]:
        return f"{ours['accuracy']:.4f}"
    split = ", MNIST's own split" if ours["split"] == "official" else ""
    return f"{ours['accuracy']:.4f} (mean of {len(ours['seeds'])} seeds{split})"


def _fit_and_predict(measured: Mapping[str, Any]) -> str:
    mark = "" if measured.get("whole", True) else " ¹"
    return f"{_figure(measured['fit_seconds'])} + {_figure(measured['predict_seconds'])} s{mark}"


def _figure(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 10 else f"{seconds:.1f}" if seconds >= 0.1 else f"{seconds:.2f}"
