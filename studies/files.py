"""Files of the studies: plans, results of the trainings, and tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.shared.files.array_archives import reading_arrays, save_arrays
from stages.shared.files.paths import NamedFiles
from stages.shared.files.tables import load_table, save_table
from stages.shared.files.text_files import load_json, save_json
from stages.shared.files.whole_files import reading
from studies.settings import level_text
from studies.trainings import Training

PLANS = NamedFiles(Path("studies/plans"), ".json")  # "hidden-units/1"
CODE = NamedFiles(Path("studies/plans/code"), ".txt")  # one file per folder of a stage
RUNS = Path("studies/runs")
RESULTS = NamedFiles(Path("studies/results"), ".csv")  # one table per study, in Git
VERDICTS = NamedFiles(Path("studies/results"), ".json")

FIGURES = NamedFiles(Path("reports/studies"), ".png")
MARKDOWN = Path("docs/studies.md")
PAGE = Path("reports/studies/index.html")

KEY = "key"
FACTS = ("parameters", "epochs", "train_accuracy", "validation_accuracy", "validation_loss")


class Trained(NamedTuple):
    """What is kept of a training.

    Attributes
    ----------
    facts : dict
        Column of the table -> value.
    test_codes : ndarray of uint8, shape (n,)
        Predicted codes of the test images.
    maps : ndarray of float32, shape (units, height, width), or None
        The weights of the first layer, to draw; None if they are not kept, or no maps.
    """

    facts: dict[str, Any]
    test_codes: NDArray[np.uint8]
    maps: NDArray[Any] | None


def save_plan(study: str, seed: int, trainings: Sequence[Training], threads: int) -> None:
    """Write what one stage trains."""
    content = {"threads": threads, "trainings": [each._asdict() for each in trainings]}
    save_json(PLANS.path(f"{study}/{seed}"), content, decimals=None)


def load_plan(study: str, seed: int) -> tuple[list[Training], int]:
    """Read what a stage trains, and the number of processor cores for it; raises UserError."""
    content = load_json(PLANS.path(f"{study}/{seed}"), "threads", "trainings")
    return [Training(**each) for each in content["trainings"]], content["threads"]


def run_folder(study: str, seed: int) -> Path:
    """Return the folder with the results of one stage."""
    return RUNS / study / str(seed)


def save_run(folder: Path, trainings: Sequence[Training], keys: Sequence[str], results: Sequence[Trained]) -> None:
    """Write the results of a stage: a table with a row per training, predictions, and weights.

    Parameters
    ----------
    folder : Path
        Of the run.
    trainings : sequence of Training
        In the order of the plan.
    keys : sequence of str
        What each result depends on, as a hash.
    results : sequence of Trained
        Of the trainings.
    """
    table = pd.DataFrame(
        [
            {
                **{factor: level_text(level) for factor, level in each.levels.items()},
                "model": each.model,
                "rows": each.rows,
                "seed": each.seed,
                **result.facts,
                KEY: key,
            }
            for each, key, result in zip(trainings, keys, results, strict=True)
        ]
    )
    save_table(folder / "table.csv", table.astype({"rows": "Int64", "parameters": "Int64", "epochs": "Int64"}))
    maps = {key: result.maps for key, result in zip(keys, results, strict=True) if result.maps is not None}
    codes = {key: result.test_codes for key, result in zip(keys, results, strict=True)}
    save_arrays(folder / "test_codes.npz", **codes)
    save_arrays(folder / "maps.npz", **maps)


def load_run_table(folder: Path) -> pd.DataFrame:
    """Read the table of a run; levels are str, "" for null, numbers are float64.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    table = load_table(folder / "table.csv")
    with reading(folder / "table.csv"):
        return table.assign(**{column: pd.to_numeric(table[column]) for column in ("rows", "seed", *FACTS)})


def load_run_arrays(folder: Path, name: str) -> dict[str, NDArray[Any]]:
    """Read the arrays of a run by the keys of the trainings; `name` is "test_codes" or "maps"."""
    with reading_arrays(folder / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}
