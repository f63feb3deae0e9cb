"""Hashes again all that dvc.lock names, in the workspace and in the cache, and says what differs and what mends it.

DVC itself trusts a file whose size and time of change are as they were, and a cached file that nobody may write to.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stages.shared.errors import UserError
from stages.shared.files.zip_archives import made_by_another_version
from stages.shared.process import console
from stages.shared.process.run import run

if TYPE_CHECKING:
    from dvc.output import Output
    from dvc.repo import Repo

CHUNK = 1 << 20  # bytes
OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")
LOCK = Path("dvc.lock")


class Named(NamedTuple):
    """A file that dvc.lock names, by itself or in a directory.

    Attributes
    ----------
    path : Path
        From the repository's root.
    md5 : str
        Its hash; ends in ".dir" for a directory whose files cannot be told apart.
    size : int or None
        Bytes, where they are known.
    out : Path or None
        The output of a stage that it is or lies in; None for what stages only read.
    cached : bool
        Whether DVC keeps a copy in its cache.
    """

    path: Path
    md5: str
    size: int | None
    out: Path | None
    cached: bool


class Fault(NamedTuple):
    """A file that is not what dvc.lock names, what is wrong with it, and the commands that mend it."""

    path: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.path} {self.what}; to mend it: {self.mend}"


class Verified(NamedTuple):
    """What was found: how many files were hashed in the workspace and in the cache, and the faults."""

    workspace: int
    cache: int
    faults: list[Fault]


def verify() -> Verified:
    """Hash all that dvc.lock names for the declared stages, and every file in DVC's cache.

    Returns
    -------
    Verified
        Entries of dvc.lock for models that params.yaml no longer declares are left out.

    Raises
    ------
    UserError
        dvc.yaml, dvc.lock or params.yaml cannot be read, or dvc.lock is missing.
    """
    repo = _opened()
    cache = Path(repo.cache.local.path)
    outs = [out for stage in repo.index.stages for out in stage.outs if out.hash_info]
    objects = {
        path.parent.name + path.name: path
        for path in sorted(cache.glob("??/*"))
        if OBJECT.fullmatch(path.parent.name + path.name)
    }
    listings = [path for md5, path in objects.items() if md5.endswith(".dir")]
    hashes = _hashed(listings)
    named = [*chain.from_iterable(_named(repo, out, objects, hashes) for out in outs), *_sources(repo, outs)]
    extra = list(_extra(repo, outs, named))
    workspace = {file for item in named for file in _files(repo, item.path)}
    hashes |= _hashed([*sorted(workspace), *(path for path in objects.values() if path not in hashes)])

    faults = [Fault(str(path), f"is no part of {out}", f"rm {path}") for path, out in extra]
    seen = set()
    for item in named:
        here = _wrong_here(repo, item, hashes)
        there = _wrong_there(item, objects, hashes) if item.cached else None
        seen.add(item.md5)
        if here or there:
            faults.append(_fault(item, here, there, objects.get(item.md5)))
        elif item.path.suffix in (".keras", ".skops") and (what := made_by_another_version(item.path)):
            faults.append(Fault(str(item.path), what, f"dvc repro --force {_stage(repo, item)}"))
    for out in outs:
        if out.use_cache and out.hash_info.isdir:
            seen.add(str(out.hash_info.value))
            faults += _listing_faults(out, objects, hashes)
    faults += [
        Fault(_shown(path), "is not what its name says, and is of another run", f"rm {_shown(path)}")
        for md5, path in objects.items()
        if md5 not in seen and hashes[path] != md5.removesuffix(".dir")
    ]
    return Verified(len(workspace), len(objects), faults)


def _opened() -> "Repo":
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if not LOCK.is_file():
        raise UserError("there is no dvc.lock, so nothing has been run; 'dvc repro' runs the pipeline")
    try:
        repo = Repo()
        _ = repo.index.stages
    except DvcException as error:
        reason = " ".join(str(error).split())
        remedy = (
            f"; 'git checkout {LOCK}' brings the committed one; where there is none, "
            f"'rm {LOCK}' and 'dvc repro' make it anew"
        )
        raise UserError(reason + (remedy if str(LOCK) in reason else "")) from error
    return repo


def _named(repo: "Repo", out: "Output", objects: dict[str, Path], hashes: dict[Path, str]) -> Iterator[Named]:
    """List the files of an output."""
    path, md5 = Path(out.def_path), str(out.hash_info.value)
    if not out.hash_info.isdir:
        yield Named(path, md5, out.meta.size, path, out.use_cache)
        return
    listing = objects.get(md5)
    if listing is None or hashes[listing] != md5.removesuffix(".dir"):
        # Which files it held is not known; as a whole it can be compared all the same.
        yield Named(path, md5, None, path, False)
        return
    for entry in json.loads(listing.read_text(encoding="utf-8")):
        yield Named(path / entry["relpath"], entry["md5"], None, path, out.use_cache)


def _sources(repo: "Repo", outs: "list[Output]") -> Iterator[Named]:
    """List what stages read and no stage writes: code, published data."""
    made = [Path(out.def_path) for out in outs]
    found: dict[Path, Named] = {}
    for stage in repo.index.stages:
        for dep in stage.deps:
            path = Path(getattr(dep, "def_path", None) or "")
            if not dep.hash_info or dep.hash_info.name != "md5":
                continue
            if not any(path.is_relative_to(out) or out.is_relative_to(path) for out in made):
                found[path] = Named(path, str(dep.hash_info.value), dep.meta.size, None, False)
    yield from found.values()


def _extra(repo: "Repo", outs: "list[Output]", named: list[Named]) -> Iterator[tuple[Path, Path]]:
    """List the files in directories of outputs that no listing names."""
    known = {item.path for item in named}
    for out in outs:
        path = Path(out.def_path)
        if out.hash_info.isdir and path not in known:
            yield from ((file, path) for file in _files(repo, path) if file not in known)


def _files(repo: "Repo", path: Path) -> list[Path]:
    """List the files of a path that DVC does not ignore, sorted; none where there is nothing."""
    if not path.is_dir():
        return [path] if path.is_file() else []
    found = repo.dvcignore.find(repo.fs, str(path.absolute()))
    return sorted(Path(file).relative_to(Path.cwd()) for file in found)


def _hashed(paths: Iterable[Path]) -> dict[Path, str]:
    paths = list(paths)
    sizes = sum(path.stat().st_size for path in paths)
    hashes = {}
    with console.progress("verify", sizes, "B") as advance:
        for path in paths:
            digest = hashlib.md5(usedforsecurity=False)
            with path.open("rb") as file:
                while part := file.read(CHUNK):
                    digest.update(part)
                    advance(len(part))
            hashes[path] = digest.hexdigest()
    return hashes


def _wrong_here(repo: "Repo", item: Named, hashes: dict[Path, str]) -> str | None:
    """Say what is wrong with a file or directory in the workspace."""
    if not item.path.exists():
        return "is missing"
    if item.md5.endswith(".dir"):
        # As DVC hashes a directory: https://github.com/iterative/dvc-data, hashfile/tree.py
        entries = [
            {"md5": hashes[file], "relpath": file.relative_to(item.path).as_posix()} for file in _files(repo, item.path)
        ]
        listing = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
        same = hashlib.md5(listing.encode(), usedforsecurity=False).hexdigest() == item.md5.removesuffix(".dir")
        return None if same else "holds other files than dvc.lock names"
    if item.path not in hashes:
        return "is no file"
    return _other(item.path, hashes[item.path] == item.md5, item.size)


def _wrong_there(item: Named, objects: dict[str, Path], hashes: dict[Path, str]) -> str | None:
    """Say what is wrong with a file's copy in the cache."""
    path = objects.get(item.md5)
    return "is missing" if path is None else _other(path, hashes[path] == item.md5, item.size)


def _other(path: Path, same: bool, size: int | None) -> str | None:
    if same:
        return None
    found = path.stat().st_size
    return f"is cut off, {found:,} of {size:,} bytes" if size is not None and found < size else "has been altered"


def _fault(item: Named, here: str | None, there: str | None, copy: Path | None) -> Fault:
    path, out = str(item.path), item.out
    if out is None:
        return Fault(path, f"{here}: it is not what the results were made of", f"git checkout {path}, or dvc repro")
    remove = f"rm {'-r ' if item.path.is_dir() else ''}{path} && " if here and here != "is missing" else ""
    if not item.cached:
        return Fault(path, str(here), f"{remove}dvc repro")
    if there is None:
        return Fault(path, str(here), f"{remove}dvc checkout {out}")
    shown = f" ({_shown(copy)})" if copy else ""
    remove_copy = f"rm -f {_shown(copy)} && " if copy else ""
    if here is None:
        return Fault(
            path, f"is as it should be, but its copy in the cache{shown} {there}", f"{remove_copy}dvc commit {out}"
        )
    return Fault(
        path, f"{here}, and its copy in the cache{shown} {there}", f"{remove}{remove_copy}dvc repro, or dvc pull"
    )


def _listing_faults(out: "Output", objects: dict[str, Path], hashes: dict[Path, str]) -> Iterator[Fault]:
    md5 = str(out.hash_info.value)
    listing = objects.get(md5)
    if listing is None:
        yield Fault(out.def_path, "has no list of its files in the cache", f"dvc commit {out.def_path}")
    elif hashes[listing] != md5.removesuffix(".dir"):
        shown = _shown(listing)
        yield Fault(
            out.def_path,
            f"has a damaged list of its files in the cache ({shown})",
            f"rm -f {shown} && dvc commit {out.def_path}",
        )


def _stage(repo: "Repo", item: Named) -> str:
    return next(
        stage.addressing for stage in repo.index.stages if any(Path(out.def_path) == item.out for out in stage.outs)
    )


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def main() -> None:
    """Verify; exit code 1, and a line a file, where something differs."""
    found = verify()
    if found.faults:
        raise UserError("\n".join(str(fault) for fault in found.faults))
    console.say(
        f"verify: {found.workspace:,} files in the workspace are what dvc.lock names, "
        f"and {found.cache:,} in the cache are what they were"
    )


if __name__ == "__main__":
    run("verify", main)
