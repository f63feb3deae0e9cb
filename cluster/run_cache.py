"""The key by which DVC's run cache finds the results of an earlier run: the only use of what DVC does not document.

tests/test_cluster.py compares the key with that of a run of `dvc repro`, so that a new version of DVC is noticed.
"""

from collections.abc import Iterable
from pathlib import Path


def keys(stages: Iterable[str]) -> dict[str, str | None]:
    """Compute the key of each stage from the files of the current folder.

    Parameters
    ----------
    stages : iterable of str
        As DVC names them.

    Returns
    -------
    dict of str to (str or None)
        Stage -> SHA-256 of its command, its settings, the hashes of its dependencies and the names of its outputs; None
        if a dependency is missing.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.stage.cache import _get_stage_hash

    found: dict[str, str | None] = {}
    with Repo() as repo, repo.lock:
        for name in stages:
            [stage] = repo.stage.collect(name)
            try:
                stage.save_deps()
                found[name] = _get_stage_hash(stage)
            except DvcException:
                found[name] = None
    return found


def has(cache: Path, key: str) -> bool:
    """Return whether the run cache in a folder of DVC's cache has results of a key."""
    return any((cache / "runs" / key[:2] / key).glob("*"))
