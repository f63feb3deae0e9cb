"""Where every file of the pipeline lives, from the repository's root."""

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
