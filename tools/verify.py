"""Hashes every file that dvc.lock names, in the workspace and in the cache, and lists those that differ.

DVC itself does not hash a file again whose size and modification time are unchanged, nor a read-only file in its cache.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stages.shared.errors import UserError, one_line
from stages.shared.process import console
from stages.shared.process.run import run
from tools.repository import check_repository

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo
    from dvc.stage import Stage
    from dvc_data.hashfile.db import HashFileDB

LOCK = Path("dvc.lock")


class Fault(NamedTuple):
    """A path, what is wrong with it, and the command that restores it."""

    path: Path
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}; to restore it: {self.remedy}"


def verify() -> list[Fault]:
    """Hash the outputs and dependencies of all declared stages, and every file in DVC's cache.

    Raises
    ------
    UserError
        dvc.yaml, dvc.lock or params.yaml cannot be read or are not committed, or dvc.lock is missing.
    """
    from dvc_data.hashfile.db import HashFileDB
    from dvc_data.hashfile.hash import hash_file

    repo = _open_repository()
    # Unlike `repo.cache.local`, this object does not look up the hashes of earlier runs.
    cache = HashFileDB(repo.fs, os.path.relpath(repo.cache.local.path))
    actual_md5 = {md5: hash_file(cache.oid_to_path(md5), cache.fs, "md5")[1].value for md5 in sorted(cache.all())}
    intact = {md5: actual == md5.removesuffix(".dir") for md5, actual in actual_md5.items()}
    stages = _main_stages(repo)
    outs = {_path(out): out for stage in stages for out in stage.outs if out.hash_info}
    deps = {_path(dep): dep for stage in stages for dep in stage.deps if dep.hash_info and dep.hash_info.name == "md5"}
    named = {str(out.hash_info.value) for out in outs.values()}
    faults = []
    for root, out in (deps | outs).items():
        if root not in outs and any(root.is_relative_to(other) or other.is_relative_to(root) for other in outs):
            continue  # a dependency that another stage writes
        cached = root in outs and out.use_cache
        expected, actual = _hashes(root, out, cache, listed=intact.get(out.hash_info.value, False))
        named.update(expected.values())
        faults += [Fault(path, f"not part of {root}", f"rm {path}") for path in sorted(actual.keys() - expected)]
        for path, md5 in expected.items():
            wrong = "" if actual.get(path) == md5 else "differs from dvc.lock" if path in actual else "missing"
            copy = cache.oid_to_path(md5)
            lost = "" if not cached or intact.get(md5) else "damaged" if md5 in intact else "missing"
            if wrong and lost:
                remedy = f"rm -rf {path} {copy} && dvc repro, or dvc pull"
            elif lost:
                remedy = f"rm -f {copy} && dvc commit {root}"
            elif cached:
                remedy = f"rm -rf {path} && dvc checkout {root}"
            else:
                remedy = f"rm -rf {path} && dvc repro" if root in outs else f"git checkout {path}, or dvc repro"
            if wrong or lost:
                in_cache = f"{lost} in the cache ({copy})" if lost else ""
                faults.append(Fault(path, ", ".join(filter(None, (wrong, in_cache))), remedy))
    for copy in (cache.oid_to_path(md5) for md5 in intact if not intact[md5] and md5 not in named):
        faults.append(Fault(Path(copy), "damaged, a file of another run", f"rm {copy}"))
    return faults


def artifacts_without_model() -> list[str]:
    """Return a sentence for each artifact in dvc.yaml whose file no stage writes.

    GTO would register versions of it, and `dvc artifacts get` would find no file.
    """
    repo = _open_repository()
    written = {_path(out) for stage in _main_stages(repo) for out in stage.outs}
    return [
        f"dvc.yaml, artifacts.{name}: no stage writes {artifact.path}, because params.yaml does not declare this "
        "model; declare it, or delete the artifact"
        for name, artifact in repo.artifacts.read().get("dvc.yaml", {}).items()
        if Path(artifact.path) not in written
    ]


def _main_stages(repo: "Repo") -> "list[Stage]":
    """Return the stages of dvc.yaml and of .dvc files; a pipeline in another folder may wait for a run of its own."""
    return [each for each in repo.index.stages if not each.path_in_repo.endswith("/dvc.yaml")]


def _path(out: "Output") -> Path:
    return Path(os.path.relpath(out.fs_path))  # `def_path` is relative to the folder of a .dvc file


def _hashes(root: Path, out: "Output", cache: "HashFileDB", *, listed: bool) -> tuple[dict[Path, str], dict[Path, str]]:
    """Map the paths of an output to their MD5 in dvc.lock, and to their MD5 in the workspace.

    A directory is one path, unless the cache has the list of its files (`listed`).
    """
    from dvc_data.hashfile.build import build
    from dvc_data.hashfile.tree import Tree

    ignore = out.dvcignore
    found = build(cache, out.fs_path, cache.fs, "md5", ignore=ignore, dry_run=True)[-1] if root.exists() else None
    if not (listed and out.hash_info.isdir):
        return {root: str(out.hash_info.value)}, {root: str(found.hash_info.value)} if found else {}
    expected = {root.joinpath(*key): md5.value for key, _, md5 in Tree.load(cache, out.hash_info)}
    return expected, {root.joinpath(*key): md5.value for key, _, md5 in found} if isinstance(found, Tree) else {}


def _open_repository() -> "Repo":
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    check_repository()
    if not LOCK.is_file():
        raise UserError(f"{LOCK} is missing: nothing has been run yet; 'dvc repro' runs the pipeline")
    try:
        repo = Repo()
        _ = repo.index.stages
    except DvcException as error:
        remedy = f"; restore {LOCK} with 'git checkout {LOCK}', or make it again with 'rm {LOCK}' and 'dvc repro'"
        raise UserError(one_line(error) + (remedy if str(LOCK) in str(error) else "")) from error
    return repo


def main() -> None:
    """Verify, and fail with one line per file that differs and per artifact without a model."""
    if faults := [*verify(), *artifacts_without_model()]:
        raise UserError("\n".join(map(str, faults)))
    console.say("verify: the workspace matches dvc.lock, and the cache is intact")


if __name__ == "__main__":
    run("verify", main)
