"""The measurements as reports/benchmark.json, tables and a chart; run it to write the latter two again."""

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from benchmarks import growth, notebook, tables
from benchmarks.recipes import described
from stages.shared.charts.png import chart_png
from stages.shared.errors import UserError
from stages.shared.files.whole_files import replacing
from stages.shared.params import baselines_section, nets_section
from stages.shared.process.console import say
from stages.shared.process.run import run

REPORT = Path("reports/benchmark.json")
TABLE = REPORT.with_suffix(".md")
CHART = Path("reports/benchmark-growth.png")

CPU_FEATURES = ("avx2", "avx512f", "avx512_vnni", "amx_bf16")  # they decide the speed of matrix products
PACKAGES = ("tensorflow-cpu", "tensorflow", "keras", "scikit-learn", "scikit-learn-intelex", "numpy", "dvc")
UNSEEDED = "sgd"  # its cell has no seed, so its predictions differ from run to run


def read_report() -> dict[str, Any]:
    """Return earlier measurements, or an empty report if they are of another machine or other versions."""
    empty: dict[str, Any] = {"models": {}, "step": {}, "growth": {}, "pipeline": {}, "edit": [], "at_once": {}}
    new = {"machine": _machine(), "versions": _versions(), **empty}
    if not REPORT.is_file():
        return new
    earlier: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    if (earlier["machine"], earlier["versions"]) == (new["machine"], new["versions"]):
        return {**new, **earlier}
    say(f"bench: {REPORT} is of another machine or other versions and is replaced")
    return new


def _machine() -> dict[str, Any]:
    information = Path("/proc/cpuinfo")  # on Linux only
    text = information.read_text(encoding="utf-8") if information.is_file() else ""
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    processor = name[1] if name else platform.processor() or platform.machine()
    return {
        "processor": ", ".join([processor, *(word for word in CPU_FEATURES if re.search(rf"\b{word}\b", text))]),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def save(report: dict[str, Any]) -> None:
    """Write all measurements so far, so that an interruption loses nothing."""
    models = [*baselines_section.load(), *nets_section.load()]
    for part in ("models", "growth"):
        report[part] = {name: report[part][name] for name in models if name in report[part]}
    with replacing(REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    write_tables(report)


def write_tables(report: dict[str, Any]) -> None:
    """Write reports/benchmark.md and the chart of growth."""
    with replacing(TABLE) as temporary:
        temporary.write_text(markdown(report), encoding="utf-8")
    if report["growth"]:
        seconds = {name: {int(rows): value for rows, value in of.items()} for name, of in report["growth"].items()}
        png = chart_png(growth.growth_chart(seconds, [*nets_section.load()]), growth.TITLE, growth.NOTE)
        with replacing(CHART) as temporary:
            temporary.write_bytes(png)


def markdown(report: dict[str, Any]) -> str:
    """Return all measurements as a page."""
    machine, rows, pipeline = report["machine"], report["models"], report["pipeline"]
    nets = nets_section.load()
    parts = [
        "# This project compared with the notebook",
        f"Measured by `make bench` on {machine['cores']} cores of {machine['processor']}, {machine['memory_gb']} GB, "
        f"{machine['system']}; " + ", ".join(f"{name} {number}" for name, number in report["versions"].items()) + ".",
    ]
    if rows:
        recipes = [[name, described(name)] for name in rows if name in nets]
        parts += [
            "<!-- models -->",
            tables.benchmark_table(rows, pipeline.get("stage_seconds", {})),
            "<!-- /models -->",
            "\n".join(tables.remarks({name: row for name, row in rows.items() if name != UNSEEDED})),
            "## Recipes",
            tables.table("net | recipe", "--- | ---", recipes),
        ]
    if report["step"]:
        parts += [
            "## A single training step",
            "One step on 256 digits. TensorFlow uses oneDNN's kernels by default on the newest processors only, this "
            "project on all. The notebook's cells above ran with TensorFlow's defaults.",
            tables.step_table(report["step"]),
        ]
    if pipeline:
        cells = [row["notebook"] for name, row in rows.items() if row["notebook"] and name != "svc-rbf"]
        complete = len(cells) == len(notebook.REACHED) - 1
        seconds = sum(cell["fit_seconds"] + cell["predict_seconds"] for cell in cells) if complete else None
        added = [name for name in nets if name not in notebook.REACHED]
        parts += ["## Whole runs", tables.pipeline_table(pipeline, added, seconds)]
    if report.get("edit"):
        parts += [
            "## From an edit to its result",
            "In a clone with all models. Imports: the time as a multiple of a bare `python -c 'import tensorflow'`, "
            "run just before and after.",
            tables.edit_table(report["edit"]),
        ]
    if report.get("at_once"):
        parts += [
            "## Stages at once",
            "`make repro AT_ONCE=...` against `dvc repro`. Stages that sleep take no processor time: what is left is "
            "what DVC and Dask take.",
            tables.at_once_table([row for rows in report["at_once"].values() for row in rows]),
        ]
    if report["growth"]:
        parts += ["## Growth with the number of training digits", f"![Seconds against training digits]({CHART.name})"]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def main() -> None:
    """Write the tables and the chart again from reports/benchmark.json, without measuring."""
    if not REPORT.is_file():
        raise UserError(f"{REPORT} does not exist; 'make bench' measures and writes it")
    write_tables(json.loads(REPORT.read_text(encoding="utf-8")))


if __name__ == "__main__":
    run("bench", main)
