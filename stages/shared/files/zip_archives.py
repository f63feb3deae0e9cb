"""Zip archives (of .keras and .skops files) that have the same bytes in every process."""

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

# The earliest time a zip archive can hold; the real one would change the bytes.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
# What an archive may unpack to: weights and images that were learned by heart compress to a hundredth at best.
MOST_BYTES, MOST_TIMES = 100_000_000, 100
CHUNK = 1 << 20  # bytes
HEADER = struct.Struct("<26xHH")  # of a member; the lengths of its name and of what follows that


def write_archive(path: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write members, in the order given, compressed and without any date, owner or host.

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
            info.create_system = 3  # Unix, whatever the machine
            archive.writestr(info, content)


def read_archive(path: Path) -> list[tuple[str, bytes]]:
    """Read all members of an archive, in its order."""
    with zipfile.ZipFile(path) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def check_archive(path: Path) -> None:
    """Refuse a zip bomb, and an archive whose members are not what its directory says, with little memory.

    Python's own reader unpacks a member as a whole before it looks at the declared size.

    Raises
    ------
    BadZipFile, zlib.error
        It would unpack to much more than a model holds, names a member twice, or is damaged.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        members = archive.infolist()
        unpacked = sum(info.file_size for info in members)
        if unpacked > max(MOST_BYTES, MOST_TIMES * path.stat().st_size):
            raise zipfile.BadZipFile(f"it would unpack to {unpacked / 1e9:.1f} GB, as no model does")
        if len(set(archive.namelist())) < len(members):
            raise zipfile.BadZipFile("it names a member twice")
        for info in members:
            size, checksum = 0, 0
            for part in _unpacked(file, info):
                size, checksum = size + len(part), zlib.crc32(part, checksum)
                if size > info.file_size:
                    break
            if (size, checksum) != (info.file_size, info.CRC):
                raise zipfile.BadZipFile(f"its member '{info.filename[:100]}' is not what its directory says")


def _unpacked(file: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Unpack a member part by part."""
    file.seek(info.header_offset)
    header = file.read(HEADER.size)
    if len(header) < HEADER.size:
        raise zipfile.BadZipFile("it is cut off")
    name, extra = HEADER.unpack(header)
    file.seek(name + extra, os.SEEK_CUR)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("it is compressed in a way that model files never are")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if info.compress_type == zipfile.ZIP_DEFLATED else None
    left = info.compress_size
    while left > 0 and (packed := file.read(min(CHUNK, left))):
        left -= len(packed)
        if inflater is None:
            yield packed
            continue
        while packed:
            yield inflater.decompress(packed, CHUNK)
            packed = inflater.unconsumed_tail
    if inflater is not None:
        yield inflater.flush()


def made_by_another_version(path: Path) -> str | None:
    """Say if a model file was saved by another version of Keras or scikit-learn than this one, the last digit aside.

    Parameters
    ----------
    path : Path
        A .keras or .skops file that `check_archive` has let pass.

    Returns
    -------
    str or None
        "was saved by Keras 3.14.0, and this is Keras 3.15.1"; None if the versions agree or the file names none.
    """
    keras = path.suffix == ".keras"
    with zipfile.ZipFile(path) as archive:
        content = json.loads(archive.read("metadata.json" if keras else "schema.json"))
    found = content.get("keras_version") if keras else next(_values(content, "_sklearn_version"), None)
    library, here = ("Keras", version("keras")) if keras else ("scikit-learn", version("scikit-learn"))
    if found is None or str(found).split(".")[:2] == here.split(".")[:2]:
        return None
    return f"was saved by {library} {str(found)[:20]}, and this is {library} {here}"


def _values(schema: Any, attribute: str) -> Iterator[str]:
    """Walk through a skops schema for the values of an attribute."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            held = part.get(attribute)
            if isinstance(held, dict) and held.get("is_json"):
                yield json.loads(held["content"])
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
