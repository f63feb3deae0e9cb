"""Files of the studies: plans, tables of results, verdicts and pages."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stages.shared.files.paths import NamedFiles
from stages.shared.files.tables import load_table, save_table
from stages.shared.files.text_files import DECIMALS, load_json, save_text
from stages.shared.files.whole_files import reading
from studies.trainings import Training, texts

PLANS = NamedFiles(Path("studies/plans"), ".json")  # what each study trains
CODE = NamedFiles(Path("studies/plans/code"), ".txt")  # one file per folder of a stage
RESULTS = NamedFiles(Path("studies/results"), ".csv")  # "softmax/1", a row per training
VERDICTS = NamedFiles(Path("studies/verdicts"), ".json")  # one file per study
FIGURES = NamedFiles(Path("reports/studies"), ".png")
PAGE = Path("reports/studies/index.html")
MARKDOWN = Path("docs/studies.md")

KEY = "key"
COUNTS = ("parameters", "epochs")
MEASURED = ("train_accuracy", "validation_accuracy", "test_accuracy", "validation_loss")
Facts = Mapping[str, Any]  # of COUNTS and MEASURED -> number, or None


def save_plan(study: str, trainings: Sequence[Training], threads: int) -> None:
    """Write what a study trains: one line per training, with its seeds."""
    seeds: dict[str, list[int]] = {}
    for each in trainings:
        line = json.dumps({**each._asdict(), "seed": None})
        seeds.setdefault(line, []).append(each.seed)
    lines = [f'{line.removesuffix("}")}, "seeds": {each}}}' for line, each in seeds.items()]
    text = f'{{"threads": {threads}, "trainings": [\n' + ",\n".join(lines) + "\n]}\n"
    save_text(PLANS.path(study), text)


def load_plan(study: str) -> tuple[list[Training], int]:
    """Read what a study trains, and the number of processor cores for it; raises UserError."""
    content = load_json(PLANS.path(study), "threads", "trainings")
    found = [
        Training(**{**{key: item for key, item in each.items() if key != "seeds"}, "seed": seed})
        for each in content["trainings"]
        for seed in each["seeds"]
    ]
    return found, content["threads"]


def save_results(path: Path, trainings: Sequence[Training], keys: Sequence[str], results: Mapping[str, Facts]) -> None:
    """Write a table with a row per training.

    Parameters
    ----------
    path : Path
        The file; it is not written if there are no results.
    trainings : sequence of Training
        In the order of the plan.
    keys : sequence of str
        What the result of each training depends on, as a hash.
    results : mapping of str to mapping
        Key -> facts; trainings without are left out.
    """
    rows = [
        {
            **texts(each.levels),
            "model": each.model,
            "rows": each.rows,
            "seed": each.seed,
            **{fact: results[key][fact] for fact in (*COUNTS, *MEASURED)},
            KEY: f"{key}-{checksum(results[key])}",
        }
        for each, key in zip(trainings, keys, strict=True)
        if key in results
    ]
    if rows:
        save_table(path, pd.DataFrame(rows).astype(dict.fromkeys(("rows", *COUNTS), "Int64")))


def checksum(facts: Facts) -> str:
    """Return a hash of facts as a table has them, by which an edited row is found."""
    values = [facts[fact] for fact in (*COUNTS, *MEASURED)]
    written = [None if value is None else round(float(value), DECIMALS) for value in values]
    return hashlib.sha256(repr(written).encode()).hexdigest()[:8]


def load_results(path: Path) -> pd.DataFrame:
    """Read a table of results; levels are str, "" for null, numbers are float64, NaN where there is none.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    table = load_table(path)
    with reading(path):
        return table.assign(**{column: pd.to_numeric(table[column]) for column in ("seed", *COUNTS, *MEASURED)})
