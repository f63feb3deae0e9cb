"""This project compared with the notebook's own cells, on the same machine: `make bench`."""

import argparse
from statistics import mean
from typing import Any

import numpy as np

from benchmarks import at_once, edit, measure, notebook, pipeline
from benchmarks.report import TABLE, read_report, save
from cluster import require_dask
from stages.shared.errors import UserError, unknown_name
from stages.shared.params import baselines_section, nets_section
from stages.shared.process.console import say
from stages.shared.process.run import run

# The recipes were chosen with seeds below 100.
SEEDS = {"fast": range(101, 111)}
OTHER_SEEDS = range(101, 104)
OFFICIAL = ("fast",)  # on MNIST's own split; all others on the notebook's
OTHER_PARTS = ("step", "growth", "pipeline", "edit")
AT_ONCE = {"cluster": at_once.sleeping_stages, "cluster-pipeline": at_once.whole_pipeline}  # with Dask, if named


def main() -> None:
    """Measure the parts that are named, and write reports/benchmark.json, .md and the chart of growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "part",
        nargs="*",
        help=f"models of params.yaml, or {', '.join((*OTHER_PARTS, *AT_ONCE))}; without any, all but the last two",
    )
    parts = parser.parse_args().part
    models = [*baselines_section.load(), *nets_section.load()]
    for part in parts:
        if part not in (known := [*models, *OTHER_PARTS, *AT_ONCE]):
            raise UserError(unknown_name(part, known, "benchmark"))
    if {*parts} & {*AT_ONCE}:
        require_dask()
    named = [name for name in models if name in parts]
    report = read_report()
    for name in named if parts else models:
        report["models"][name] = _compare(name)
        save(report)
    if not parts or "step" in parts:
        report["step"] = {name: _steps(name) for name in ("cnn-15x15", "deep-cnn")}
        save(report)
    if not parts or "growth" in parts:
        for name in named or models:
            say(f"{name}: growth with the number of rows")
            report["growth"][name] = measure.in_new_process(measure.growth, name)["seconds"]
            save(report)
    if not parts or "pipeline" in parts:
        report["pipeline"] = pipeline.whole_runs()
        save(report)
    if not parts or "edit" in parts:
        report["edit"] = edit.edit_to_result()
        save(report)
    for part in [part for part in AT_ONCE if part in parts]:
        report["at_once"][part] = AT_ONCE[part]()
        save(report)
    say(f"bench: wrote {TABLE}")


def _compare(name: str) -> dict[str, Any]:
    """Measure a model as the notebook and as this project trains it."""
    net, official = name in nets_section.load(), name in OFFICIAL
    theirs: dict[str, Any] | None = None
    if name in notebook.REACHED:
        say(f"{name}: notebook")
        theirs = measure.in_new_process(measure.notebook_model, name, tensorflow_defaults=True)
    seeds = list(SEEDS.get(name, OTHER_SEEDS)) if net else []
    runs = []
    for seed in seeds or (None,):
        say(f"{name}: this project" + ("" if seed is None else f", seed {seed}"))
        runs.append(measure.in_new_process(measure.our_model, name, seed, official))
    ours = {
        "fit_seconds": mean(run["fit_seconds"] for run in runs),
        "predict_seconds": mean(run["predict_seconds"] for run in runs),
        "longest_fit_seconds": max(run["fit_seconds"] for run in runs),
        "accuracy": mean(run["accuracy"] for run in runs),
        "accuracies": [run["accuracy"] for run in runs],
        "seeds": seeds,
        "split": "official" if official else "notebook",
        "peak_memory_mb": max(run["peak_memory_mb"] for run in runs),
    }
    # A net's cell has no seed, and its accuracy differs from run to run: the target is that of a known run.
    comparable = theirs is not None and not net
    row = {
        "notebook": theirs and {key: value for key, value in theirs.items() if key != "codes"},
        "ours": ours,
        "predictions_that_differ": None,
        "target_accuracy": notebook.REACHED.get(name),
        "target_measured": comparable,
    }
    if theirs and comparable:
        row["predictions_that_differ"] = int(np.count_nonzero(theirs["codes"] != runs[0]["codes"]))
        row["target_accuracy"] = theirs["accuracy"]
    say(f"{name}: {ours['fit_seconds'] + ours['predict_seconds']:.1f} s, accuracy {ours['accuracy']:.5f}")
    return row


def _steps(name: str) -> dict[str, float]:
    """Time a training step of a convolutional net by four methods: method -> milliseconds."""
    say(f"{name}: single steps")
    methods: dict[str, tuple[tuple[bool, nets_section.Precision], bool]] = {
        "notebook, TensorFlow's defaults": ((False, "float32"), True),
        "notebook, oneDNN's kernels": ((False, "float32"), False),
        "this project, mixed_bfloat16": ((True, "mixed_bfloat16"), False),
        "this project": ((True, "float32"), False),
    }
    return {
        method: measure.in_new_process(measure.step, name, *arguments, tensorflow_defaults=defaults)["milliseconds"]
        for method, (arguments, defaults) in methods.items()
    }


if __name__ == "__main__":
    run("bench", main)
