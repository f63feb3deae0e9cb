"""Zip archives (of .keras and .skops files) that have the same bytes in every process."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

# The earliest time a zip archive can hold; the real one would change the bytes.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


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
