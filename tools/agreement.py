"""Compares the metrics in the workspace with the committed ones."""

import json
from pathlib import Path

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.files.text_files import load_json
from stages.shared.process import console
from stages.shared.process.run import run
from tools.repository import check_repository, git

# On one kind of processor all digits of an accuracy are the same. On another one, sums are computed in another order,
# and the accuracy of a net changes by some tenths of a point (the 95 % interval of an accuracy of 91 % on 14,000 images
# is +-0.5 points). A mistake in the code changes more.
TOLERANCE = 0.005


def disagreements(committed: dict[str, dict[str, float]], rebuilt: dict[str, dict[str, float]]) -> list[str]:
    """Return one line per model whose test accuracy differs by more than the tolerance, or that only one side has.

    Parameters
    ----------
    committed, rebuilt : dict
        Model -> metrics, accuracies 0-1.
    """
    found = [f"{name} is on one side only" for name in sorted(committed.keys() ^ rebuilt.keys())]
    for name in sorted(committed.keys() & rebuilt.keys()):
        before, after = committed[name]["test_accuracy"], rebuilt[name]["test_accuracy"]
        if abs(before - after) > TOLERANCE:
            found.append(f"{name}: test accuracy was {before:.4f} and is {after:.4f}, more than {TOLERANCE} apart")
    return found


def main() -> None:
    """Compare reports/metrics in the workspace with the last commit, and fail if they disagree."""
    check_repository()
    committed = {
        Path(path).stem: json.loads(git("show", f"HEAD:./{path}"))
        for path in git("ls-tree", "--name-only", "HEAD", f"{paths.METRICS.folder}/").split()
    }
    rebuilt = {path.stem: load_json(path) for path in sorted(paths.METRICS.folder.glob("*.json"))}
    if found := disagreements(committed, rebuilt):
        raise UserError("\n".join(found))
    same = sum(committed[name] == rebuilt[name] for name in rebuilt)
    console.say(f"agreement: {len(rebuilt)} models agree with the commit, {same} of them in all digits")


if __name__ == "__main__":
    run("agreement", main)
