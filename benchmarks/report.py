"""What was measured, as reports/benchmark.json, as a table and as a picture."""

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from benchmarks import growth, notebook, tables
from benchmarks.recipes import described
from stages.plot_weights.figures import write_png
from stages.shared.files.whole_files import replacing
from stages.shared.params import baselines_section, nets_section
from stages.shared.process.console import say

REPORT = Path("reports/benchmark.json")
TABLE = REPORT.with_suffix(".md")
PICTURE = Path("reports/benchmark-growth.png")

FEATURES = ("avx2", "avx512f", "avx512_vnni", "amx_bf16")  # what decides the speed of products
PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "scikit-learn", "scikit-learn-intelex", "numpy", "dvc")
UNSTEADY = "sgd"  # its cell has no seed, so its predictions differ from run to run


def report_so_far() -> dict[str, Any]:
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


def save(report: dict[str, Any]) -> None:
    """Write what is measured so far, so that an interruption loses nothing."""
    models = [*baselines_section.load(), *nets_section.load()]
    for part in ("models", "growth"):
        report[part] = {name: report[part][name] for name in models if name in report[part]}
    with replacing(REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    with replacing(TABLE) as temporary:
        temporary.write_text(markdown(report), encoding="utf-8")
    if report["growth"]:
        seconds = {name: {int(rows): value for rows, value in of.items()} for name, of in report["growth"].items()}
        write_png(growth.growth_figure(seconds, list(nets_section.load())), PICTURE)


def markdown(report: dict[str, Any]) -> str:
    """Return all that was measured, as a page."""
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
            "\n".join(tables.remarks({name: row for name, row in rows.items() if name != UNSTEADY})),
            "## Recipes",
            tables.recipe_table({name: described(name) for name in rows if name in nets_section.load()}),
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
        added = [name for name in nets_section.load() if name not in notebook.REACHED]
        parts += ["## Whole runs", tables.pipeline_table({**report["pipeline"], "added": added}, seconds)]
    if report["growth"]:
        parts += ["## More and more rows", f"![Seconds against training digits]({PICTURE.name})"]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"
