"""The run cache of DVC, by which it finds the results of an earlier run: the only use of what DVC does not document.

tests/test_cluster.py compares the key with that of a run of `dvc repro`, so that a new version of DVC is noticed.
"""

import os
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
    from dvc.stage.cache import _get_cache_hash
    from dvc.stage.serialize import to_single_stage_lockfile

    found: dict[str, str | None] = {}
    with Repo() as repo, repo.lock:
        for name in stages:
            [stage] = repo.stage.collect(name)
            try:
                stage.save_deps()
                # `_get_stage_hash` refuses stages with outputs that persist, which the run cache does not keep.
                found[name] = _get_cache_hash(to_single_stage_lockfile(stage), key=True)
            except DvcException:
                found[name] = None
    return found


def uncached(stages: Iterable[str]) -> dict[str, list[str]]:
    """Return the outputs of each stage that DVC does not cache, as paths relative to the current folder."""
    from dvc.repo import Repo

    with Repo() as repo:
        found = {name: repo.stage.collect(name) for name in stages}
        return {
            name: [os.path.relpath(out.fs_path) for stage in each for out in stage.outs if not out.use_cache]
            for name, each in found.items()
        }


def has(cache: Path, key: str) -> bool:
    """Return whether the run cache in a folder of DVC's cache has results of a key."""
    return any((cache / "runs" / key[:2] / key).glob("[!.]*"))


def remove_unfinished() -> None:
    """Remove what transfers to a full DVC remote have left in its run cache: empty files.

    DVC takes the newest file of a key, would find it damaged, and run the stage again.
    """
    from dvc.repo import Repo

    with Repo() as repo:
        remote = repo.cloud.get_remote_odb(None, "push --run-cache", hash_name="md5-dos2unix")
        folder = remote.fs.join(remote.path, "runs")
        for path in [*remote.fs.find(folder)] if remote.fs.exists(folder) else []:
            if path.endswith(".tmp") and not remote.fs.size(path):
                remote.fs.remove(path)
