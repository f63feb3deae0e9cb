"""This project against the notebook's own cells, side by side on this machine: `make bench`."""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import psutil

from benchmarks import growth, notebook, pipeline, tables
from benchmarks.recipes import described, recipes
from stages import running
from stages.console import UserError, say
from stages.params import baselines, nets
from stages.params.reading import unknown
from stages.plot_weights.figures import write_png
from stages.store.files import replacing

REPORT = Path("reports/benchmark.json")
TABLE = REPORT.with_suffix(".md")
PICTURE = Path("reports/benchmark-growth.png")

# Recipes were chosen with seeds below 100.
SEEDS = {"fast": range(101, 111)}
OTHER_SEEDS = range(101, 104)
OFFICIAL = ("fast",)  # on MNIST's own split; all others on the notebook's
OTHER_PARTS = ("step", "growth", "pipeline")
FEATURES = ("avx2", "avx512f", "avx512_vnni", "amx_bf16")  # what decides the speed of products
PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "scikit-learn", "scikit-learn-intelex", "numpy", "dvc")


def main() -> None:
    """Measure what the arguments name, and write reports/benchmark.json, .md and the picture of growth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"models of params.yaml, or {', '.join(OTHER_PARTS)}; all if none")
    asked = parser.parse_args().part
    models = [*baselines.load(), *nets.load()]
    for part in asked:
        if part not in (*models, *OTHER_PARTS):
            raise UserError(f"no benchmark '{part}': {unknown(part, [*models, *OTHER_PARTS], 'benchmark')}")
    report = _report_so_far()
    for name in models:
        if not asked or name in asked:
            report["models"][name] = _compared(name)
            _save(report, models)
    if not asked or "step" in asked:
        report["step"] = _steps()
        _save(report, models)
    if not asked or "growth" in asked:
        for name in models:
            say(f"{name}: on more and more rows")
            report["growth"][name] = _measured("growth", "ours", name)["seconds"]
            _save(report, models)
    if not asked or "pipeline" in asked:
        report["pipeline"] = pipeline.whole_runs()
        _save(report, models)
    say(f"bench: {TABLE} has the table")


def _compared(name: str) -> dict[str, Any]:
    """Measure a model both ways."""
    net = name in nets.load()
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


def _report_so_far() -> dict[str, Any]:
    """Read what was measured before, if it was on such a machine and with the same versions."""
    new = {"machine": _machine(), "versions": _versions(), "models": {}, "step": {}, "growth": {}, "pipeline": {}}
    if not REPORT.is_file():
        return new
    before: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    if (before["machine"], before["versions"]) == (new["machine"], new["versions"]):
        return before
    say(f"bench: {REPORT} is of another machine or of other versions; its figures are dropped")
    return new


def _machine() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")  # Linux alone has it
    text = information.read_text(encoding="utf-8") if information.is_file() else ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    features = [feature for feature in FEATURES if re.search(rf"\b{feature}\b", text)]
    return (name[1] if name else platform.processor() or platform.machine()) + "".join(f", {f}" for f in features)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _save(report: dict[str, Any], models: list[str]) -> None:
    """Write what is measured so far, so that an interruption loses nothing."""
    for part in ("models", "growth"):
        report[part] = {name: report[part][name] for name in models if name in report[part]}
    with replacing(REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    with replacing(TABLE) as temporary:
        temporary.write_text(_markdown(report), encoding="utf-8")
    if report["growth"]:
        seconds = {name: {int(rows): value for rows, value in of.items()} for name, of in report["growth"].items()}
        write_png(growth.growth_figure(seconds, list(nets.load())), PICTURE)


def _markdown(report: dict[str, Any]) -> str:
    machine = report["machine"]
    parts = [
        "# This pipeline against the notebook's cells",
        f"Measured by `make bench` on {machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB, "
        f"{machine['system']}; " + ", ".join(f"{name} {number}" for name, number in report["versions"].items()) + ".",
    ]
    rows = report["models"]
    if rows:
        parts += ["<!-- models -->", tables.benchmark_table(rows), "<!-- /models -->"]
        parts += [
            f"{name}: {row['predictions_that_differ']:,} of 14,000 predictions differ from scikit-learn's."
            for name, row in rows.items()
            if row["predictions_that_differ"] is not None and name != "sgd"
        ]
        parts += [
            "## Recipes",
            tables.recipe_table({name: described(name) for name in rows if name in recipes() or name in nets.load()}),
        ]
    if report["step"]:
        parts += [
            "## A single step",
            "TensorFlow takes oneDNN's kernels by itself on the newest processors alone; the pipeline always does. The "
            "cells above ran as TensorFlow starts by itself.",
            tables.step_table(report["step"]),
        ]
    if report["pipeline"]:
        cells = [row["notebook"] for name, row in rows.items() if row["notebook"] and name != "svc-rbf"]
        complete = len(cells) == len(notebook.REACHED) - 1
        seconds = sum(cell["fit_seconds"] + cell["predict_seconds"] for cell in cells) if complete else None
        added = [name for name in nets.load() if name not in notebook.REACHED]
        parts += ["## Whole runs", tables.pipeline_table({**report["pipeline"], "added": added}, seconds)]
    if report["growth"]:
        parts += ["## More and more rows", f"![Seconds against training digits]({PICTURE.name})"]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


if __name__ == "__main__":
    running.run("bench", main)
