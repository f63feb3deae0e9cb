"""Campaign: the branches that the tests run, and the mutants of the modules of pure functions that they kill."""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from stages.shared.errors import UserError
from stages.shared.process.console import say
from tests.campaigns.mutation import ROOT, explanations, run_mutmut, unexplained

PACKAGES = ("inference", "stages")
MEASURED = ROOT / ".coverage"  # written by `make coverage`
LEAST_BRANCHES, LEAST_KILLED = 0.95, 0.90
COUNTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")  # coverage.py's names


def campaign(n: int) -> dict[str, Any]:
    """Measure the coverage of the default tests, and try mutants.

    Parameters
    ----------
    n : int
        Largest number of mutants of each function; mutmut makes up to a few hundred of one.

    Returns
    -------
    dict
        Shares of lines run and branches taken, in all and per folder; mutants, killed, explained, in all and per
        module; `went_wrong`, texts: shares that are too small, files that no test runs, unexplained survivors.
    """
    files = coverage()
    modules = run_mutmut(n)
    wrong = unexplained(modules, explanations())
    killed = sum(module.killed for module in modules.values())
    survived = sum(len(module.survivors) for module in modules.values())
    lines, branches = shares(files)
    wrong += [f"no test runs {path}" for path in never_run(files)]
    if branches < LEAST_BRANCHES:
        wrong.append(f"the tests take {branches:.1%} of the branches; at least {LEAST_BRANCHES:.0%} are required")
    if killed < LEAST_KILLED * (killed + survived):
        wrong.append(f"{killed} mutants killed and {survived} not; at least {LEAST_KILLED:.0%} must be killed")
    return {
        "lines_run": f"{lines:.1%}",
        "branches_taken": f"{branches:.1%}",
        "branches_taken_in": {folder: f"{shares(part)[1]:.1%}" for folder, part in by_folder(files).items()},
        "mutants": killed + survived,
        "killed": killed,
        "survived": survived,
        "of_these_explained": survived - sum(text.startswith("survives") for text in wrong),
        "share_killed": f"{killed / (killed + survived):.1%}",
        "mutants_of": {file: str(module) for file, module in modules.items()},
        "went_wrong": wrong,
    }


def coverage() -> dict[str, dict[str, int]]:
    """Return coverage.py's counts per file, measured again if a file of code or tests is newer than the last ones."""
    newest = max(path.stat().st_mtime for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py"))
    if not MEASURED.is_file() or MEASURED.stat().st_mtime < newest:
        say("code: running the tests, which takes about ten minutes")
        done = subprocess.run(["make", "--silent", "coverage"], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"the tests fail: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "--quiet", "-o", str(file)]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "COVERAGE_FILE": str(MEASURED)}, check=True)
        report = json.loads(file.read_text(encoding="utf-8"))
    return {path: {key: found["summary"][key] for key in COUNTS} for path, found in sorted(report["files"].items())}


def never_run(files: dict[str, dict[str, int]]) -> list[str]:
    """List the files that no test imports: coverage.py leaves them out."""
    code = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    return sorted(code - files.keys())


def shares(files: dict[str, dict[str, int]]) -> tuple[float, float]:
    """Return the shares (0-1) of lines run and of branches taken."""
    statements, run, branches, taken = (sum(counts[key] for counts in files.values()) for key in COUNTS)
    return run / statements if statements else 1.0, taken / branches if branches else 1.0


def by_folder(files: dict[str, dict[str, int]]) -> dict[str, dict[str, dict[str, int]]]:
    """Group the counts by the folders of the files."""
    folders: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for path, counts in files.items():
        folders[str(Path(path).parent)][path] = counts
    return dict(folders)
