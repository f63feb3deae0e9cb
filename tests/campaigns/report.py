"""The counts of the campaigns, as reports/reliability.json and as tables in reports/reliability.md."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from stages.shared.files.whole_files import replacing
from stages.shared.process.console import say

REPORT = Path("reports/reliability.json")
TABLE = REPORT.with_suffix(".md")
PACKAGES = ("dvc", "keras", "numpy", "scikit-learn", "skops")


class Campaign(NamedTuple):
    """A campaign: the module of its name here has `campaign(n)`, which returns counts and `went_wrong`, texts."""

    n: int  # number of trials in `make reliability`
    unit: str  # what they are called there
    title: str
    description: str


CAMPAIGNS = {
    "params": Campaign(
        2_000,
        "edits",
        "Edits of params.yaml",
        "Random edits of the default params.yaml. Each must end in a valid declaration or in one-line error messages "
        "that name the file.",
    ),
    "data": Campaign(
        2_000,
        "trials",
        "Faulty data sources",
        "Downloads, archives and IDX files with random faults. Each must end in the right data or in an error message, "
        "never in a half-written file.",
    ),
    "kill": Campaign(
        60,
        "kills",
        "Kills",
        "A small pipeline with all stages gets SIGKILL, or another signal, at a random moment: the stage, DVC, or "
        "both; in a fresh clone, after an edit, or while DVC restores files from its cache. One `dvc repro` follows, "
        "after the command that DVC's message calls for, if any: a truncated dvc.lock is restored by `git checkout "
        "dvc.lock`, or by `rm dvc.lock` if none is committed. The result is the same if dvc.lock and all outputs are "
        "byte for byte those of an undisturbed run, no other file remains, and `dvc status` reports no change. "
        "Signals that arrive after the end of the run are not counted but repeated earlier in the run.",
    ),
    "signals": Campaign(
        110,
        "signals",
        "Ctrl-C and SIGTERM",
        "A stage of the small pipeline gets Ctrl-C (SIGINT to its process group, as from a terminal) or SIGTERM at a "
        "random moment. It must end within two seconds and leave no process behind, and every file must keep its "
        "bytes.",
    ),
    "concurrency": Campaign(
        10,
        "pairs",
        "Simultaneous runs",
        "Two `dvc repro` start within seconds of each other: both must finish, or one must report that the other is "
        "running. Then all models are trained at the same time, each with `dvc --wait-for-lock repro --single-item`. "
        "One `dvc repro` follows; the result is the same if every file is byte for byte that of an undisturbed run.",
    ),
    "cluster": Campaign(
        20,
        "faults",
        "Stages at once",
        "`python -m cluster` with a pipeline of sleeping stages, on one machine or on two with a scheduler, is "
        "disturbed once at a random moment: a process ends, a stage fails, the remote is lost, inputs are damaged, a "
        "machine has other versions, all machines go. The run must end well, by the signal, or with a sentence, and "
        "leave no process behind. Another run follows; the result is the same if dvc.lock and the outputs are those of "
        "a serial run, and no stage may be trained again whose results the first run had handed in. It needs the "
        "packages of `make cluster`.",
    ),
    "altered": Campaign(
        300,
        "files",
        "Altered files",
        "One file at a time, of all that the small pipeline writes and DVC caches, gets a bit or byte changed, is "
        "truncated, emptied, or replaced by another of its kind, with its modification time unchanged. `make verify` "
        "must name each. Loading it as the stages do must end in an error message, or in data that only a checksum "
        "tells from the right ones.",
    ),
    "pictures": Campaign(
        300,
        "pictures per kind",
        "Pictures of digits",
        "Drawn digits on squared and ruled paper, in frames, in shadows: test digits of MNIST and printed ones, "
        "predicted by the trained net `augmented-cnn`. At least 95 % of each kind must be right, or 95 % of the wrong "
        "ones have a note or an error. Of empty frames, blank is right.",
    ),
    "code": Campaign(
        40,
        "mutants per function at most",
        "Test quality",
        "Lines and branches of the code that `make coverage` runs, and mutants of the modules of pure functions (with "
        "a constant, operator or argument changed) that make a test fail. `tests/campaigns/survivors.yaml` explains "
        "why others cannot; mutants that only reword a message are not counted.",
    ),
}


def load_report() -> dict[str, Any]:
    """Return the report so far, or an empty one if there is none for the installed versions."""
    versions = {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
    if REPORT.is_file():
        report: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
        if report["versions"] == versions:
            return report
        say(f"reliability: {REPORT} has the counts of other versions, which are dropped")
    return {"versions": versions, "campaigns": {}}


def save(report: dict[str, Any]) -> None:
    """Write the report in both formats, with the campaigns in the order of `CAMPAIGNS`."""
    report["campaigns"] = {name: report["campaigns"][name] for name in CAMPAIGNS if name in report["campaigns"]}
    for path, text in ((REPORT, json.dumps(report, indent=2) + "\n"), (TABLE, markdown(report))):
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def markdown(report: dict[str, Any]) -> str:
    """Return the report as a page.

    Parameters
    ----------
    report : dict
        `versions`: package -> version; `campaigns`: name -> what `campaign` returned, and `seconds`.
    """
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    campaigns = report["campaigns"]
    lines = ["| campaign | went wrong | minutes |", "|---|--:|--:|"]
    for title, several in [(CAMPAIGNS[name].title, [name]) for name in campaigns] + [("all", list(campaigns))]:
        wrong = sum(len(campaigns[name]["went_wrong"]) for name in several)
        minutes = sum(campaigns[name]["seconds"] for name in several) / 60
        lines.append(f"| {title} | {wrong:,} | {minutes:.1f} |")
    parts = ["# Reliability", f"Counted by `make reliability` with {versions}.", "\n".join(lines)]
    for name, counts in campaigns.items():
        parts += [f"## {CAMPAIGNS[name].title}", CAMPAIGNS[name].description, _table(counts)]
        if counts["went_wrong"]:
            parts += ["Went wrong:", "\n".join(f"- {text}" for text in counts["went_wrong"])]
    return "\n\n".join(parts) + "\n"


def _table(counts: dict[str, Any]) -> str:
    """Return one row per count, and one per entry of a mapping of counts."""
    rows: dict[str, Any] = {}
    for key, value in counts.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            rows |= {f"{name}: {part}": value[part] for part in sorted(value)}
        elif key not in ("went_wrong", "seconds"):
            rows[name] = value
    lines = [f"| {name} | {f'{value:,}' if isinstance(value, int) else value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|--:|", *lines])
