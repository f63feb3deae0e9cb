"""Results of an earlier run of a stage that still hold, so that a new level or model trains only what is new."""

import hashlib
import json
import tempfile
from pathlib import Path

from studies.files import CODE, FACTS, KEY, Trained, load_run_arrays, load_run_table, run_folder
from studies.train.models import Data
from studies.trainings import Training


def keys_of(trainings: list[Training], data: Data, threads: int) -> list[str]:
    """Hash what the result of each training depends on: its declaration, the data, the code and the libraries."""
    digest = hashlib.sha256(CODE.path("train").read_bytes())
    for array in data[:5]:
        digest.update(array.data)
    digest.update(f"{data.names} {threads}".encode())
    keys = []
    for training in trainings:
        own = digest.copy()
        own.update(json.dumps({**training._asdict(), "levels": None}, sort_keys=True).encode())
        keys.append(own.hexdigest()[:16])
    return keys


def earlier_results(study: str, seed: int) -> dict[str, Trained]:
    """Return the results with which the stage last ended, by key, from DVC's cache or remote; empty if it has none."""
    from dvc.api import DVCFileSystem

    folder = run_folder(study, seed)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "run"
        try:
            # DVC has removed the folder itself, and still knows its content by dvc.lock.
            DVCFileSystem().get(str(folder), str(copy), recursive=True)
            table, codes, maps = (
                load_run_table(copy),
                load_run_arrays(copy, "test_codes"),
                load_run_arrays(copy, "maps"),
            )
        except Exception:  # of DVC and its storage libraries, which share no class: nothing to use again
            return {}
    return {
        key: Trained(dict(zip(FACTS, facts, strict=True)), codes[key], maps.get(key))
        for key, *facts in table[[KEY, *FACTS]].itertuples(index=False, name=None)
    }
