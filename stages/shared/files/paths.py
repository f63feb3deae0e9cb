"""Where every file of the pipeline lives, from the repository's root."""

from collections.abc import Iterable
from pathlib import Path

RAW = Path("data/raw")
SPLIT = Path("data/split")
CHECKS = Path("data/checks")

BASELINES = Path("models/baselines")
NETS = Path("models/nets")
PREDICTIONS = Path("models/predictions")
FACTS = Path("models/facts")

HISTORY = Path("reports/history")
SUMMARIES = Path("reports/summaries")
METRICS = Path("reports/metrics")
CLASSIFICATION = Path("reports/classification")
CONFUSION = Path("reports/confusion")
LEADERBOARD = Path("reports/leaderboard.json")
SUMMARY = Path("reports/summary.json")
DUPLICATES = Path("reports/duplicates.json")
PER_CLASS = Path("reports/per_class.csv")
PICTURES = Path("reports/pictures")
TIMINGS = Path("reports/timings")


def baseline_file(name: str) -> Path:
    """Return the path of a baseline's model file."""
    return BASELINES / f"{name}.skops"


def net_file(name: str) -> Path:
    """Return the path of a net's model file."""
    return NETS / f"{name}.keras"


def undeclared(baselines: Iterable[str], nets: Iterable[str]) -> list[Path]:
    """List the files that training stages left behind for models that are no longer declared.

    Parameters
    ----------
    baselines, nets : iterable of str
        Names of the declared models.

    Returns
    -------
    list of Path
        Sorted; DVC removes a stage's outputs before it runs, but not those of a stage that is gone.
    """
    baselines, nets = set(baselines), set(nets)
    declared = {
        BASELINES: baselines,
        NETS: nets,
        HISTORY: nets,
        SUMMARIES: nets,
        PREDICTIONS: baselines | nets,
        FACTS: baselines | nets,
    }
    left = [
        path
        for folder, names in declared.items()
        for path in (folder.iterdir() if folder.is_dir() else ())
        # Git's own, and what another process may be writing, are left alone.
        if path.is_file() and path.stem not in names and not path.name.startswith((".git", ".writing-"))
    ]
    timed = [path for path in TIMINGS.glob("*@*.json") if path.stem.partition("@")[2] not in baselines | nets]
    return sorted([*left, *timed])
