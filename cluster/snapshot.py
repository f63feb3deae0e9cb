"""The workspace as it stands, edits that are not committed included, as a zip archive; and a copy made from it."""

import hashlib
import importlib.metadata
import json
import platform
import zipfile
from pathlib import Path
from typing import Any

from stages.shared.errors import UserError
from stages.shared.files.zip_archives import FIXED_TIME
from tools.libraries import LIBRARIES
from tools.repository import git

ENVIRONMENT = "cluster.json"  # member of the archive: what a machine must have


def environment() -> dict[str, Any]:
    """Return the Python version, the versions of the libraries that results depend on, and the processor."""
    versions = {}
    for library in json.loads(LIBRARIES.read_text(encoding="utf-8")):
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue  # optional
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, "libraries": versions, "processor": _processor()}


def _processor() -> str:
    """Return what distinguishes processors on which results can differ: the kind, and its instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    vectors = sorted(flag for flag in flags.split() if flag.startswith(("avx", "amx", "sve", "asimd", "fma")))
    return " ".join([platform.machine(), *vectors])


def write(folder: Path) -> Path:
    """Write the archive of all files that Git tracks or does not ignore, named after its content.

    Parameters
    ----------
    folder : Path
        Created if it is missing.

    Returns
    -------
    Path
        The archive.
    """
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    files = sorted({Path(name) for name in listed if name and Path(name).is_file()})
    members = {file.as_posix(): file.read_bytes() for file in files}
    members[ENVIRONMENT] = json.dumps(environment()).encode()
    content = hashlib.sha256()
    for name, data in members.items():
        content.update(f"{name}\0{len(data)}\0".encode() + data)
    path = folder / f"snapshot-{content.hexdigest()[:16]}.zip"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        for earlier in folder.glob("snapshot-*.zip"):
            earlier.unlink()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in members.items():
                info = zipfile.ZipInfo(name, FIXED_TIME)
                info.external_attr = Path(name).stat().st_mode << 16 if Path(name).is_file() else 0o644 << 16
                archive.writestr(info, data)
    return path


def lay(archive: Path, folder: Path) -> dict[str, Any]:
    """Make the files of a folder those of an archive; files that are equal, and what the archive never had, stay.

    Returns
    -------
    dict
        The environment of the snapshot, as `environment` returns it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / ".snapshot"  # the files of the snapshot before
    before = record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
    with zipfile.ZipFile(archive) as members:
        names = members.namelist()
        for name in {*before} - {*names}:
            (folder / name).unlink(missing_ok=True)
        for info in members.infolist():
            path, content = folder / info.filename, members.read(info)
            if not (path.is_file() and path.read_bytes() == content):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            path.chmod(info.external_attr >> 16)
    record.write_text("\n".join(names), encoding="utf-8")
    wanted: dict[str, Any] = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
    return wanted


def compare(wanted: dict[str, Any], own: dict[str, Any]) -> str | None:
    """Compare the environment of a snapshot with that of this machine.

    Returns
    -------
    str or None
        A remark on another kind of processor; None if it is the same.

    Raises
    ------
    UserError
        Python or a library has another version.
    """
    if wanted["python"] != own["python"]:
        raise UserError(f"this machine has Python {own['python']}, the driver has {wanted['python']}")
    for library, version in wanted["libraries"].items():
        if own["libraries"].get(library) != version:
            found = own["libraries"].get(library, "none")
            raise UserError(f"this machine has {library} {found}, the driver has {version}; run 'make setup' there")
    return None if wanted["processor"] == own["processor"] else "another kind of processor: last digits can differ"
