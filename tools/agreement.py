"""Compares rebuilt metrics with the committed ones."""

import json
import subprocess
from pathlib import Path

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.files.text_files import load_json
from stages.shared.process import console
from stages.shared.process.run import run

# Test accuracy may differ by half a point. On one kind of processor every digit is the same; on another, sums are
# taken in another order, and a net ends some tenths of a point away (the 95 % interval of 91 % accuracy on 14,000
# images is 0.5 points to either side). A mistake in the code moves more.
TOLERANCE = 0.005


def disagreements(
    committed: dict[str, dict[str, float]], rebuilt: dict[str, dict[str, float]], tolerance: float = TOLERANCE
) -> list[str]:
    """Say which models' test accuracies differ by more than the tolerance, and which models only one side has.

    Parameters
    ----------
    committed, rebuilt : dict
        Model -> metrics, accuracies 0-1.
    tolerance : float
        0-1.
    """
    found = [f"{name} is on one side only" for name in sorted(committed.keys() ^ rebuilt.keys())]
    for name in sorted(committed.keys() & rebuilt.keys()):
        before, after = committed[name]["test_accuracy"], rebuilt[name]["test_accuracy"]
        if abs(before - after) > tolerance:
            found.append(f"{name}: test accuracy was {before:.4f} and is {after:.4f}, more than {tolerance} apart")
    return found


def main() -> None:
    """Compare reports/metrics in the workspace with the last commit's; fail where they disagree."""
    listed = subprocess.run(
        ["git", "ls-tree", "--name-only", "HEAD", f"{paths.METRICS.folder}/"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    committed = {
        Path(path).stem: json.loads(
            subprocess.run(["git", "show", f"HEAD:{path}"], capture_output=True, text=True, check=True).stdout
        )
        for path in listed
    }
    rebuilt = {path.stem: load_json(path) for path in sorted(paths.METRICS.folder.glob("*.json"))}
    if found := disagreements(committed, rebuilt):
        raise UserError("\n".join(found))
    same = sum(committed[name] == rebuilt[name] for name in rebuilt)
    console.say(f"agreement: {len(rebuilt)} models agree with the commit, {same} of them in every digit")


if __name__ == "__main__":
    run("agreement", main)
