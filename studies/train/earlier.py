"""Results of an earlier run that still hold, so that a new level or model trains only what is new."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stages.shared.errors import UserError
from stages.shared.process.console import say
from studies.files import CODE, COUNTS, KEY, MEASURED, checksum, load_results
from studies.train.data import Data
from studies.trainings import Training


def keys_of(trainings: Sequence[Training], data: Data, threads: int) -> list[str]:
    """Hash what the result of each training depends on: its declaration, the data, the code and the libraries."""
    digest = hashlib.sha256(CODE.path("train").read_bytes())
    for array in (data.images, data.labels, data.validation_images, data.validation_labels, data.test_images):
        digest.update(array.data)
    digest.update(f"{data.names} {threads}".encode())
    keys = []
    for training in trainings:
        own = digest.copy()
        own.update(json.dumps([training.model, training.declaration, training.rows, training.seed]).encode())
        keys.append(own.hexdigest()[:16])
    return keys


def earlier_results(path: Path) -> dict[str, dict[str, Any]]:
    """Return the facts of the trainings in a table of results, by key, but for rows that were edited."""
    if not path.is_file():
        return {}
    try:
        table = load_results(path)[[KEY, *COUNTS, *MEASURED]]
    except (UserError, KeyError):
        say(f"{path} is damaged, so all are trained again; 'git checkout {path}' restores a committed one")
        return {}
    facts = table.drop(columns=KEY).astype(object).where(table.notna(), None).to_dict("records")
    found = dict(zip(table[KEY], facts, strict=True))
    return {key.partition("-")[0]: each for key, each in found.items() if key.endswith(f"-{checksum(each)}")}
