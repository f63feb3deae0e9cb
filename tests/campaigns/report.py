"""What the campaigns counted, as reports/reliability.json and as tables."""

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
    """A campaign: the module `reliability.NAME` has `campaign(n)`, which returns counts and `went_wrong`, texts.

    Attributes
    ----------
    n : int
        Its full length.
    unit : str
        Of what.
    title, what : str
        For the report: what it is called, and what it does.
    """

    n: int
    unit: str
    title: str
    what: str


CAMPAIGNS = {
    "params": Campaign(
        2_000,
        "edits",
        "Edits of params.yaml",
        "Random edits of the default params.yaml. Each ends in a valid declaration or in one clear sentence.",
    ),
    "data": Campaign(
        2_000,
        "trials",
        "Data from sources with faults",
        "Downloads, archives and IDX files with random faults. Each ends in the right data or in one clear sentence, "
        "and never in a file that is half-written.",
    ),
    "kill": Campaign(
        60,
        "kills",
        "Kills",
        "A small pipeline of all stages is hit by SIGKILL at a random moment, and by some other signals: the stage, "
        "DVC, or both; from a fresh clone, after an edit, and while DVC brings files from its cache; at any moment, "
        "within a stage's first second, while DVC saves, and while it writes dvc.lock. Then comes one `dvc repro`, "
        "after the cleaning that DVC's message asks for, if any: dvc.lock may be cut off, and `git checkout dvc.lock` "
        "(or `rm dvc.lock`, where none is committed) mends it. The result is the same where dvc.lock and every file "
        "that stages write have the bytes of an undisturbed run, nothing is left over, and `dvc status` finds nothing "
        "to do. A signal that came when the run was over is not counted but sent again, sooner.",
    ),
    "signals": Campaign(
        110,
        "signals",
        "Ctrl-C and SIGTERM",
        "A stage of the small pipeline gets Ctrl-C (SIGINT to its whole group, as from a terminal) or SIGTERM at a "
        "random moment. It must end within two seconds, with exit code 130 or 143 and one sentence; no process lives "
        "on, and every file has the bytes that it had before.",
    ),
    "concurrency": Campaign(
        10,
        "pairs",
        "Several runs at once",
        "Two `dvc repro` are started within some seconds: both finish, or one says that the other is at work. And "
        "every model is trained by a DVC of its own, all at once, with `dvc --wait-for-lock repro --single-item`. Then "
        "comes one `dvc repro`; the result is the same where every file has the bytes of an undisturbed run.",
    ),
    "altered": Campaign(
        300,
        "files",
        "Altered files",
        "One file at a time, of all that the small pipeline makes and DVC caches, has a bit or byte changed, is cut "
        "off, emptied, or replaced by another of its kind; its time of change stays as it was. `make verify` must name "
        "each. Loading it as the stages do must end in a sentence, or in data that only a hash can tell from the right "
        "ones.",
    ),
    "code": Campaign(
        40,
        "mutants a function at most",
        "The tests themselves",
        "Which share of the stages' lines and branches `make coverage` has run, and how many mutants of the pure "
        "modules (a constant, operator or argument changed) make a test fail; those that none can fail of are "
        "explained in `tests/campaigns/survivors.yaml`.",
    ),
}


def report_so_far() -> dict[str, Any]:
    """Read what was counted before, if it was with the same versions."""
    new: dict[str, Any] = {"versions": _versions(), "campaigns": {}}
    if not REPORT.is_file():
        return new
    before: dict[str, Any] = json.loads(REPORT.read_text(encoding="utf-8"))
    if before["versions"] == new["versions"]:
        return before
    say(f"reliability: {REPORT} is of other versions; its figures are dropped")
    return new


def save(report: dict[str, Any]) -> None:
    """Write what is counted so far, so that an interruption loses nothing."""
    report["campaigns"] = {name: report["campaigns"][name] for name in CAMPAIGNS if name in report["campaigns"]}
    with replacing(REPORT) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    with replacing(TABLE) as temporary:
        temporary.write_text(markdown(report), encoding="utf-8")


def markdown(report: dict[str, Any]) -> str:
    """Return all that was counted, as a page.

    Parameters
    ----------
    report : dict
        `versions`, package -> version; `campaigns`, name -> what its `campaign` returned, and `seconds`, what it took.
    """
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    parts = ["# What bad input, faults and interruptions come to", f"Counted by `make reliability` with {versions}."]
    counted = report["campaigns"]
    summary = [
        *((CAMPAIGNS[name].title, len(counts["went_wrong"]), counts["seconds"]) for name, counts in counted.items()),
        ("all", sum(len(c["went_wrong"]) for c in counted.values()), sum(c["seconds"] for c in counted.values())),
    ]
    lines = ["| campaign | went wrong | minutes |", "|---|--:|--:|"]
    lines += [f"| {title} | {wrong:,} | {seconds / 60:.1f} |" for title, wrong, seconds in summary]
    parts.append("\n".join(lines))
    for name, counts in counted.items():
        parts += [f"## {CAMPAIGNS[name].title}", CAMPAIGNS[name].what, counts_table(counts)]
        if counts["went_wrong"]:
            parts += ["Went wrong:", "\n".join(f"- {text}" for text in counts["went_wrong"])]
    return "\n\n".join(parts) + "\n"


def counts_table(counts: dict[str, Any]) -> str:
    """Return counts as a table: a row a number; a mapping of numbers gives a row each, after its own name."""
    lines = ["| | |", "|---|--:|"]
    for key, value in counts.items():
        name = key.replace("_", " ")
        if isinstance(value, dict):
            lines += [f"| {name}: {part} | {_figure(number)} |" for part, number in sorted(value.items())]
        elif key not in ("went_wrong", "seconds"):
            lines.append(f"| {name} | {_figure(value)} |")
    return "\n".join(lines)


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}}
