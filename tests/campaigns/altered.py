"""Campaign: altered files. `make verify` names each, and loading one is refused or gives valid data."""

import contextlib
import random
import tempfile
from pathlib import Path
from typing import Any

from stages.shared.errors import UserError
from stages.shared.files import paths
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.process.console import progress
from tests.fixtures.damage import overwrite, with_bits_flipped
from tests.fixtures.small_project import Project, make
from tools.verify import verify

SEED = 2024
WRITTEN = ("data/raw", "data/split", "data/checks", "models", "reports")
DAMAGES = ("a bit", "a byte", "truncated", "emptied", "replaced")


def campaign(n: int) -> dict[str, Any]:
    """Alter files of a small project n times; see `alter_files`."""
    with tempfile.TemporaryDirectory(prefix="altered-") as folder:
        return alter_files(make(Path(folder) / "project"), n)


def alter_files(project: Project, n: int) -> dict[str, Any]:
    """Alter one file at a time, in turn in the workspace and in the cache, and restore it afterwards.

    Parameters
    ----------
    project : Project
        A project that has run.
    n : int
        Number of alterations.

    Returns
    -------
    dict
        altered, in_the_workspace, in_the_cache, named_by_verify, loads: counts; refused, loaded: outcomes of the
        loads; `went_wrong`, texts.
    """
    keys = ("altered", "in_the_workspace", "in_the_cache", "named_by_verify", "loads", "refused", "loaded")
    counts = dict.fromkeys(keys, 0)
    wrong = []
    chance = random.Random(SEED)
    start_tensorflow()
    with contextlib.chdir(project.folder), progress("altered", n, "files") as advance:
        in_workspace = [
            path for folder in WRITTEN for path in _files(Path(folder)) if paths.TIMINGS.folder not in path.parents
        ]
        for number in range(n):
            where = ("workspace", "cache")[number % 2]
            files = in_workspace if where == "workspace" else _files(Path(".dvc/cache/files"))
            file = chance.choice([file for file in files if file.stat().st_size])
            original = file.read_bytes()
            content, damage = _damaged(file, original, files, chance)
            overwrite(file, content)
            try:
                named = any(file.is_relative_to(fault.path) or f"({file})" in fault.what for fault in verify())
                outcome = _load(file) if where == "workspace" else None
            finally:
                overwrite(file, original)
            counts["altered"] += 1
            counts[f"in_the_{where}"] += 1
            counts["named_by_verify"] += named
            counts["loads"] += outcome is not None
            if not named:
                wrong.append(f"{file}, {damage}: not named")
            if outcome in counts:
                counts[outcome] += 1
            elif outcome is not None:
                wrong.append(f"{file}, {damage}: {outcome}")
            advance(1)
    return {**counts, "went_wrong": wrong}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _damaged(file: Path, content: bytes, files: list[Path], chance: random.Random) -> tuple[bytes, str]:
    """Return other content for a file and a description of the damage."""
    damage = chance.choice(DAMAGES)
    place = chance.randrange(len(content))
    if damage == "emptied":
        return b"", damage
    if damage == "truncated":
        return content[:place], f"truncated to {place} bytes"
    if damage == "replaced":
        # By one of its kind, as if one model were copied over another.
        others = [path for path in files if path.suffix == file.suffix and path.read_bytes() != content]
        if others:
            other = chance.choice(others)
            return other.read_bytes(), f"replaced by {other}"
    bits = 1 << chance.randrange(8) if damage == "a bit" else chance.randrange(1, 256)
    return with_bits_flipped(content, place, bits), f"byte {place} changed by {bits}"


def _load(file: Path) -> str | None:
    """Load a file as the stages do; return "loaded", "refused", an unexpected error, or None if no stage loads it."""
    from stages.shared.files import datasets, keras_models, predictions, skops_models, tables, text_files

    try:
        if file.parent == paths.NETS.folder:
            keras_models.load_net(file.stem)
        elif file.parent == paths.BASELINES.folder:
            skops_models.load_baseline(file.stem)
        elif file.parent == paths.PREDICTIONS.folder:
            for rows in ("validation", "test"):
                predictions.load_predictions(file.stem, rows)
        elif file.parent == paths.FACTS.folder:
            predictions.load_facts(file.stem)
        elif file.parent == paths.HISTORY.folder:
            tables.load_history(file.stem)
        elif file.suffix == ".npy":
            datasets.load_array(file)
        elif file.suffix == ".json":
            text_files.load_json(file)
        elif file.suffix == ".csv":
            tables.load_table(file)
        else:
            return None
    except UserError as error:
        return "refused" if "\n" not in str(error) else f"more than one line: {error}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "loaded"
