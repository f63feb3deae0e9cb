"""Paths of all files of the pipeline, relative to the root of the repository."""

from pathlib import Path
from typing import NamedTuple


class NamedFiles(NamedTuple):
    """Files of one kind in one folder, each named after a model, a stage or its content.

    Attributes
    ----------
    folder : Path
        The folder.
    suffix : str
        Suffix of every file, with the dot.
    """

    folder: Path
    suffix: str

    def path(self, name: str) -> Path:
        """Return the path of the file with this name, such as "mlp-48"; a name may have folders."""
        return self.folder / f"{name}{self.suffix}"


SCHEMA = Path("params.schema.json")
LIBRARIES = Path("libraries.json")
CODE = NamedFiles(Path("data/code"), ".txt")  # one file per folder of a stage
CHECKS = NamedFiles(Path("data/checks"), ".txt")
DECLARED = Path("data/checks/declared.json")  # names of the declared models, in order
RAW = Path("data/raw")
RAW_IMAGES = RAW / "images.npy"
RAW_LABELS = RAW / "labels.npy"
RAW_DIVISION = RAW / "division.json"
RAW_PREPARATION = RAW / "preparation.json"
SPLIT = NamedFiles(Path("data/split"), ".npy")  # "train/images", "train/labels", "validation/images", ...
CLASSES = Path("data/split/classes.json")
DUPLICATES = Path("data/split/duplicates.json")
# Not in classes.json, on which training depends: another preparation trains nothing again.
PREPARATION = Path("data/split/preparation.json")

# One file per model.
BASELINES = NamedFiles(Path("models/baselines"), ".skops")
NETS = NamedFiles(Path("models/nets"), ".keras")
PREDICTIONS = NamedFiles(Path("models/predictions"), ".npz")
FACTS = NamedFiles(Path("models/facts"), ".json")
WEIGHTS = NamedFiles(Path("models/weights"), ".npz")  # the weights to draw
HISTORY = NamedFiles(Path("models/facts"), ".csv")
SUMMARIES = NamedFiles(Path("models/facts"), ".txt")
PUBLISHED_HISTORY = NamedFiles(Path("reports/history"), ".csv")
PUBLISHED_SUMMARIES = NamedFiles(Path("reports/summaries"), ".txt")
METRICS = NamedFiles(Path("reports/metrics"), ".json")
CLASSIFICATION = NamedFiles(Path("reports/classification"), ".txt")
CONFUSION = NamedFiles(Path("reports/confusion"), ".csv")

# One file for all models.
LEADERBOARD = Path("reports/leaderboard.json")
LEADERBOARD_CSV = Path("reports/leaderboard.csv")
LEADERBOARD_MD = Path("reports/leaderboard.md")
SUMMARY = Path("reports/summary.json")
PER_CLASS = Path("reports/per_class.csv")
CONFUSION_COUNTS = Path("reports/confusion_counts.json")  # model -> confusion matrix
PUBLISHED_DUPLICATES = Path("reports/duplicates.json")
PAGE = Path("reports/index.html")
README = Path("reports/README.md")

PICTURES = NamedFiles(Path("reports/pictures"), ".png")  # "overview/errors", "models/mlp-48/curves", ...
TIMINGS = NamedFiles(Path("reports/timings"), ".json")  # one file per stage: "fetch", "train-nets@mlp-48", ...


def list_pictures(model: str) -> dict[str, Path]:
    """List the pictures of one model.

    Returns
    -------
    dict of str to Path
        "confusion", "curves" or "weights.LAYER" -> file, sorted by name; empty if there are none.
    """
    return {path.stem: path for path in sorted(model_pictures(model).glob("*.png"))}


def model_pictures(model: str) -> Path:
    """Return the folder of the pictures of one model."""
    return PICTURES.folder / "models" / model
