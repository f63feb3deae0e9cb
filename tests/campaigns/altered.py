"""Altered files: `make verify` names each, and loading one refuses it or runs nothing of it."""

import contextlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stages.shared.errors import UserError
from stages.shared.files import datasets, paths
from stages.shared.models.tensorflow_startup import start_tensorflow
from stages.shared.process.console import progress
from tests.campaigns.kill import SEED
from tests.fixtures.small_project import make
from tools.verify import verify

WHERE = ("workspace", "cache")
# The time of change stays as it was, as with a failing disk: DVC itself sees nothing.
HOW = ("a bit", "a byte", "cut off", "emptied", "swapped")


def campaign(n: int) -> dict[str, Any]:
    """Alter one file at a time, n times, over all that the small pipeline makes.

    Parameters
    ----------
    n : int
        How often.

    Returns
    -------
    dict
        altered, named_by_verify, loads (tried), refused, loaded (a change that means nothing, or one that only a hash
        tells); `went_wrong`, texts.
    """
    counts = {"altered": 0, "in_the_workspace": 0, "in_the_cache": 0}
    counts |= {"named_by_verify": 0, "loads": 0, "refused": 0, "loaded": 0}
    wrong = []
    chance = random.Random(SEED)
    start_tensorflow()
    with tempfile.TemporaryDirectory(prefix="altered-") as folder, progress("altered", n, "files") as advance:
        project = make(Path(folder) / "project")
        with contextlib.chdir(project.folder):
            for number in range(n):
                where = WHERE[number % len(WHERE)]
                file = chance.choice(candidates(where))
                with altered(file, chance.choice(HOW), chance) as how:
                    counts["altered"] += 1
                    counts[f"in_the_{where}"] += 1
                    if is_named(file):
                        counts["named_by_verify"] += 1
                    else:
                        wrong.append(f"{file}, {how}: not named")
                    load = loader(file)
                    if load is not None:
                        counts["loads"] += 1
                        outcome = loaded(load)
                        counts[outcome if outcome in counts else "loaded"] += 1
                        if outcome not in counts:
                            wrong.append(f"{file}, {how}: {outcome}")
                advance(1)
    return {**counts, "went_wrong": wrong}


def candidates(where: str) -> list[Path]:
    """List the files of the current project that may be altered: what stages wrote, or what DVC keeps of it."""
    if where == "cache":
        return sorted(path for path in Path(".dvc/cache/files").rglob("*") if path.is_file())
    written = (
        path for folder in ("data/raw", "data/split", "data/checks", "models", "reports") for path in _below(folder)
    )
    return sorted(path for path in written if not path.is_relative_to(paths.TIMINGS) and path.name != ".gitkeep")


@contextlib.contextmanager
def altered(file: Path, how: str, chance: random.Random) -> Iterator[str]:
    """Change a file, its time of change and mode as they were; put it right again afterwards.

    Parameters
    ----------
    file : Path
        To change.
    how : str
        One of `HOW`.
    chance : Random
        Says where, and by which file it is replaced.

    Yields
    ------
    str
        What was done.
    """
    before, status = file.read_bytes(), file.stat()
    content, done = _changed(file, before, how, chance)
    file.chmod(0o644)
    try:
        _put(file, content, status)
        yield done
    finally:
        file.chmod(0o644)
        _put(file, before, status)


def is_named(file: Path) -> bool:
    """Tell whether `make verify` names a file."""
    return any(file.is_relative_to(fault.path) or f"({file})" in fault.what for fault in verify().faults)


def loader(file: Path) -> Callable[[], object] | None:
    """Return what loads a file as the stages do; None for what no stage loads."""
    from stages.shared.files.formats import load_json, load_table
    from stages.shared.files.keras_models import load_net
    from stages.shared.files.predictions import load_facts, load_predictions
    from stages.shared.files.skops_models import load_baseline
    from stages.shared.files.training_history import load_history

    name = file.stem
    by_folder: dict[Path, Callable[[], object]] = {
        paths.NETS: lambda: load_net(name),
        paths.BASELINES: lambda: load_baseline(name),
        paths.PREDICTIONS: lambda: (load_predictions(name, "validation"), load_predictions(name, "test")),
        paths.FACTS: lambda: load_facts(name),
        paths.HISTORY: lambda: load_history(name),
    }
    by_ending: dict[str, Callable[[], object]] = {
        ".npy": lambda: datasets.load_array(file),
        ".json": lambda: load_json(file),
        ".csv": lambda: load_table(file),
    }
    if ".dvc" in file.parts:
        return None
    return by_folder.get(file.parent, by_ending.get(file.suffix))


def loaded(load: Callable[[], object]) -> str:
    """Load, and return "loaded", "refused", or the error that no user should see."""
    try:
        load()
    except UserError as error:
        return "refused" if "\n" not in str(error) else f"more than a sentence: {error}"
    except Exception as error:  # whatever it is, it is a fault
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return "loaded"


def _below(folder: str) -> Iterator[Path]:
    return (path for path in Path(folder).rglob("*") if path.is_file())


def _changed(file: Path, content: bytes, how: str, chance: random.Random) -> tuple[bytes, str]:
    place = chance.randrange(len(content))
    if how == "swapped":
        # By another of its kind, as one model copied over another would be.
        others = [
            path
            for path in candidates("cache" if ".dvc" in file.parts else "workspace")
            if path.suffix == file.suffix and path != file and path.read_bytes() != content
        ]
        if others:
            other = chance.choice(others)
            return other.read_bytes(), f"replaced by {other}"
        how = "a byte"
    if how == "cut off":
        return content[:place], f"cut off after {place} bytes"
    if how == "emptied":
        return b"", "emptied"
    change = 1 << chance.randrange(8) if how == "a bit" else chance.randrange(1, 256)
    return content[:place] + bytes([content[place] ^ change]) + content[
        place + 1 :
    ], f"byte {place} changed by {change}"


def _put(file: Path, content: bytes, status: os.stat_result) -> None:
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    file.chmod(status.st_mode & 0o777)
