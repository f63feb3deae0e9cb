"""This project against the notebook's own cells, side by side on this machine: `make bench`."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks import notebook, pipeline, tables
from benchmarks.report import TABLE, report_so_far, save
from stages.shared.errors import UserError, unknown_name
from stages.shared.params import baselines_section, nets_section
from stages.shared.process.console import say
from stages.shared.process.run import run

# Recipes were chosen with seeds below 100.
SEEDS = {"fast": range(101, 111)}
OTHER_SEEDS = range(101, 104)
OFFICIAL = ("fast",)  # on MNIST's own split; all others on the notebook's
OTHER_PARTS = ("step", "growth", "pipeline")


def main() -> None:
    """Measure what the arguments name, and write reports/benchmark.json, .md and the picture of growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"models of params.yaml, or {', '.join(OTHER_PARTS)}; all if none")
    asked = parser.parse_args().part
    models = [*baselines_section.load(), *nets_section.load()]
    for part in asked:
        if part not in (*models, *OTHER_PARTS):
            raise UserError(unknown_name(part, [*models, *OTHER_PARTS], "benchmark"))
    named = [name for name in models if name in asked]
    report = report_so_far()
    for name in named if asked else models:
        report["models"][name] = _compared(name)
        save(report)
    if not asked or "step" in asked:
        report["step"] = _steps()
        save(report)
    if not asked or "growth" in asked:
        for name in named or models:
            say(f"{name}: on more and more rows")
            report["growth"][name] = _measured("growth", "ours", name)["seconds"]
            save(report)
    if not asked or "pipeline" in asked:
        report["pipeline"] = pipeline.whole_runs()
        save(report)
    say(f"bench: {TABLE} has the table")


def _compared(name: str) -> dict[str, Any]:
    """Measure a model both ways."""
    net = name in nets_section.load()
    there = None
    if name in notebook.REACHED:
        say(f"{name}: the notebook's cell")
        there = _measured("model", "notebook", name, "--tensorflow-defaults")
    seeds = list(SEEDS.get(name, OTHER_SEEDS)) if net else []
    split = ["--split", "official"] if name in OFFICIAL else []
    runs = []
    for seed in seeds or (None,):
        say(f"{name}: ours" + (f", seed {seed}" if seed is not None else ""))
        runs.append(_measured("model", "ours", name, *split, *(["--seed", str(seed)] if seed is not None else [])))
    here = {
        "fit_seconds": mean(run["fit_seconds"] for run in runs),
        "predict_seconds": mean(run["predict_seconds"] for run in runs),
        "longest_fit_seconds": max(run["fit_seconds"] for run in runs),
        "accuracy": mean(run["accuracy"] for run in runs),
        "accuracies": [run["accuracy"] for run in runs],
        "seeds": seeds,
        "split": "official" if name in OFFICIAL else "notebook",
        "peak_memory_mb": max(run["peak_memory_mb"] for run in runs),
    }
    differing = None
    if there and not net:
        differing = int(np.count_nonzero(np.array(there["codes"]) != np.array(runs[0]["codes"])))
    measured = bool(there and there["accuracy"] is not None and not net)
    row = {
        "compared": (tables.TO_ACCURACY if net else tables.SAME) if there else "–",
        "notebook": _without_codes(there),
        "ours": here,
        "ratio": _ratio(there, here),
        "predictions_that_differ": differing,
        # A net's cell, which has no seed, reaches another accuracy each time: what counts is a known run of it.
        "target_accuracy": there["accuracy"] if there and measured else notebook.REACHED.get(name),
        "target_measured": measured,
    }
    say(f"{name}: {here['fit_seconds'] + here['predict_seconds']:.1f} s, accuracy {here['accuracy']:.5f}")
    return row


def _steps() -> dict[str, dict[str, float]]:
    """Time a training step of the two convolutional nets, as the cells and as we compute it."""
    ways: tuple[tuple[str, str, list[str]], ...] = (
        ("the cell, as TensorFlow starts by itself", "notebook", ["--tensorflow-defaults"]),
        ("the cell, with oneDNN's kernels", "notebook", []),
        ("ours, in mixed_bfloat16", "ours", ["--precision", "mixed_bfloat16"]),
        ("ours", "ours", []),
    )
    steps: dict[str, dict[str, float]] = {}
    for name in ("cnn-15x15", "deep-cnn"):
        say(f"{name}: single steps")
        steps[name] = {what: _measured("step", side, name, *more)["milliseconds"] for what, side, more in ways}
    return steps


def _measured(what: str, side: str, name: str, *options: str) -> dict[str, Any]:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        output = Path(folder) / "measured.json"
        command = [sys.executable, "-m", "benchmarks.measure", what, side, name, *options, "--output", str(output)]
        environment = {key: value for key, value in os.environ.items() if key != "TF_ENABLE_ONEDNN_OPTS"}
        if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode:
            raise UserError(f"measuring {name} failed, see above")
        result: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return result


def _without_codes(measured: dict[str, Any] | None) -> dict[str, Any] | None:
    return measured and {key: value for key, value in measured.items() if key != "codes"}


def _ratio(there: dict[str, Any] | None, here: dict[str, Any]) -> float | None:
    if not there:
        return None
    return (there["fit_seconds"] + there["predict_seconds"]) / (here["fit_seconds"] + here["predict_seconds"])


if __name__ == "__main__":
    run("bench", main)
