"""The code: how much of the stages the tests run, and how many mutants of the pure modules they find."""

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
from tests.campaigns import mutation

ROOT = mutation.ROOT
MEASURED = ROOT / ".coverage"  # what `make coverage` leaves
BRANCHES, MUTANTS = 0.95, 0.90  # wanted at least
# Of what coverage.py counts in a file.
COUNTS = ("num_statements", "covered_lines", "num_branches", "covered_branches")


def campaign(n: int) -> dict[str, Any]:
    """Measure the coverage of the default tests, if no file has changed since it was, and try mutants.

    Parameters
    ----------
    n : int
        Mutants of each function at most; mutmut makes up to some hundred of one.

    Returns
    -------
    dict
        coverage of lines and branches, together and a folder; mutants, killed, survived, explained, together and a
        module; `went_wrong`, texts: too low a figure, and survivors that are not explained.
    """
    files = coverage()
    tried = mutation.run_mutmut(n)
    known = mutation.explanations()
    found = mutation.judged(tried, known)
    wrong = [
        f"survived, and is not explained: {mutation.said(survivor)}"
        for module in found.values()
        for survivor in module.unexplained
    ]
    mutants, killed = (sum(getattr(module, key) for module in found.values()) for key in ("mutants", "killed"))
    explained = sum(module.explained for module in found.values())
    lines, branches = shares(files)
    wrong += [f"no test runs {path}" for path in never_run(files)]
    if branches < BRANCHES:
        wrong.append(f"the tests take {branches:.1%} of the branches; {BRANCHES:.0%} are wanted")
    if killed < MUTANTS * mutants:
        wrong.append(f"the tests find {killed / mutants:.1%} of the mutants; {MUTANTS:.0%} are wanted")
    return {
        "lines_run": f"{lines:.1%}",
        "branches_taken": f"{branches:.1%}",
        "branches_taken_in": {folder: f"{shares(part)[1]:.1%}" for folder, part in by_folder(files).items()},
        "mutants": mutants,
        "killed": killed,
        "survived": mutants - killed,
        "of_these_explained": explained,
        "score": f"{killed / mutants:.1%}",
        "mutants_of": {file: str(module) for file, module in found.items()},
        "went_wrong": wrong,
    }


def coverage() -> dict[str, dict[str, int]]:
    """Return coverage.py's counts a file of the stages, measured anew if a stage or test is newer than the last."""
    newest = max(path.stat().st_mtime for folder in ("stages", "tests") for path in (ROOT / folder).rglob("*.py"))
    if not MEASURED.is_file() or MEASURED.stat().st_mtime < newest:
        say("code: running the tests, some ten minutes")
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
    """List the stages' files that no process of the tests has imported, which coverage.py leaves out."""
    return sorted({str(path.relative_to(ROOT)) for path in (ROOT / "stages").rglob("*.py")} - files.keys())


def shares(files: dict[str, dict[str, int]]) -> tuple[float, float]:
    """Return the shares of lines run and of branches taken, 0-1; a branch is a way on from a line with several."""
    statements, run, branches, taken = (sum(counts[key] for counts in files.values()) for key in COUNTS)
    return run / statements if statements else 1.0, taken / branches if branches else 1.0


def by_folder(files: dict[str, dict[str, int]]) -> dict[str, dict[str, dict[str, int]]]:
    """Sort files into the folders they are in."""
    folders: dict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for path, counts in files.items():
        folders[str(Path(path).parent)][path] = counts
    return dict(folders)
