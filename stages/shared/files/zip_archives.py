"""Zip archives (.keras and .skops files): the same bytes in every process, and checks before they are unpacked."""

import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip archive can hold
# An archive may unpack to the larger of these; weights and training images compress to a hundredth at best.
MAX_BYTES, MAX_RATIO = 100_000_000, 100
CHUNK = 1 << 20  # bytes
HEADER = struct.Struct("<26xHH")  # header of a member: lengths of its name and of its extra field


def write_archive(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write compressed members in the given order, without date, owner or host.

    Parameters
    ----------
    path : Path
        The file to write.
    members : iterable of (str, bytes)
        Names and contents.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, FIXED_TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3  # Unix, on every platform
            archive.writestr(info, content)


def read_archive(path: Path) -> list[tuple[str, bytes]]:
    """Read names and contents of all members in the order of the archive."""
    with zipfile.ZipFile(path) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def check_archive(path: Path) -> None:
    """Refuse a zip bomb, and an archive whose members differ from its directory, in constant memory.

    `zipfile` unpacks a whole member before it compares the declared size.

    Raises
    ------
    BadZipFile, zlib.error
        The archive would unpack to more than a model takes, has a duplicate member, or is damaged.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        members = archive.infolist()
        unpacked = sum(info.file_size for info in members)
        if unpacked > max(MAX_BYTES, MAX_RATIO * path.stat().st_size):
            raise zipfile.BadZipFile(f"it would unpack to {unpacked / 1e9:.1f} GB, too much for a model")
        if len(set(archive.namelist())) < len(members):
            raise zipfile.BadZipFile("it has a duplicate member")
        for info in members:
            size, checksum = 0, 0
            for part in _unpacked(file, info):
                size, checksum = size + len(part), zlib.crc32(part, checksum)
                if size > info.file_size:
                    break
            if (size, checksum) != (info.file_size, info.CRC):
                raise zipfile.BadZipFile(f"its member '{info.filename[:100]}' differs from its directory")


def _unpacked(file: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Unpack a member part by part."""
    file.seek(info.header_offset)
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        raise zipfile.BadZipFile("it is truncated")
    name, extra = HEADER.unpack(header)
    file.seek(name + extra, os.SEEK_CUR)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"unknown compression method {info.compress_type}")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if info.compress_type == zipfile.ZIP_DEFLATED else None
    remaining = info.compress_size
    while remaining > 0 and (packed := file.read(min(CHUNK, remaining))):
        remaining -= len(packed)
        if inflater is None:
            yield packed
            continue
        while packed:
            yield inflater.decompress(packed, CHUNK)
            packed = inflater.unconsumed_tail
    if inflater is not None:
        yield inflater.flush()


def renumbered(text: str, pattern: str) -> str:
    """Replace memory addresses in JSON text by 1, 2, ... in order of first use.

    Parameters
    ----------
    text : str
        The text.
    pattern : str
        Regular expression with two groups: the text before an address, and the address.
    """
    numbers: dict[str, int] = {}
    return re.sub(pattern, lambda match: f"{match[1]}{numbers.setdefault(match[2], len(numbers) + 1)}", text)


def made_by_another_version(path: Path) -> str | None:
    """Return whether another version of Keras or scikit-learn saved a model file, ignoring the patch version.

    Parameters
    ----------
    path : Path
        A .keras or .skops file that `check_archive` accepts.

    Returns
    -------
    str or None
        "was saved by Keras 3.14.0, and this is Keras 3.15.1"; None if the versions agree or the file has none.
    """
    keras = path.suffix == ".keras"
    library, installed = ("Keras", version("keras")) if keras else ("scikit-learn", version("scikit-learn"))
    with zipfile.ZipFile(path) as archive:
        if keras:
            saved_by = json.loads(archive.read("metadata.json")).get("keras_version")
        else:
            saved_by = _scikit_learn_version(archive.read("schema.json"))
    if saved_by is None or str(saved_by).split(".")[:2] == installed.split(".")[:2]:
        return None
    return f"was saved by {library} {str(saved_by)[:20]}, and this is {library} {installed}"


def _scikit_learn_version(schema: bytes) -> str | None:
    """Return the first version in a skops schema: every scikit-learn estimator in it has one."""
    versions: list[str] = []

    def collect(part: dict[str, Any]) -> dict[str, Any]:
        attribute = part.get("_sklearn_version")
        if isinstance(attribute, dict) and attribute.get("is_json"):
            versions.append(json.loads(attribute["content"]))
        return part

    json.loads(schema, object_hook=collect)
    return versions[0] if versions else None
