"""Zip archives: the same bytes in every process, and checks before they are unpacked."""

import json
import os
import struct
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from stages.shared.files import zip_archives
from stages.shared.files.zip_archives import (
    check_archive,
    made_by_another_version,
    read_archive,
    renumbered,
    write_archive,
)

MEMBERS = [("b.json", b"{}" * 500), ("a/weights", bytes(range(256))), ("empty", b"")]


def test_members_are_read_in_the_order_of_writing(tmp_path: Path) -> None:
    write_archive(tmp_path / "x", iter(MEMBERS))
    assert read_archive(tmp_path / "x") == MEMBERS


def test_time_owner_and_platform_leave_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "x", MEMBERS)
    monkeypatch.setattr(time, "localtime", lambda *_: time.struct_time((2031, 5, 7, 1, 2, 4, 2, 127, 0)))
    monkeypatch.setattr("sys.platform", "win32")  # where zipfile stores another system
    mask = os.umask(0o077)
    write_archive(tmp_path / "y", MEMBERS)
    os.umask(mask)
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()
    with zipfile.ZipFile(tmp_path / "x") as archive:
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert (info.external_attr >> 16, info.external_attr & 0xFFFF) == (0o644, 0)
            assert info.create_system == 3
            assert info.compress_type == zipfile.ZIP_DEFLATED


# Checks


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the parts that are unpacked and checked, in bytes."""
    sizes: list[int] = []
    crc32 = zlib.crc32
    monkeypatch.setattr(zlib, "crc32", lambda part, checksum: [sizes.append(len(part)), crc32(part, checksum)][1])
    return sizes


def write_directory(path: Path, offset: int, form: str, value: int) -> None:
    """Write a number into the entry of the first member in the directory of an archive."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(b"PK\1\2") + offset, value)
    path.write_bytes(content)


def error_of(path: Path) -> str:
    with pytest.raises(zipfile.BadZipFile) as caught:
        check_archive(path)
    return str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_sound_archive_is_checked_in_chunks(
    compression: int, chunk: int, parts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in MEMBERS:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.extra = struct.pack("<HH", 0x9999, 3) + b"abc"
            archive.writestr(info, content)
    monkeypatch.setattr(zip_archives, "CHUNK", chunk)
    check_archive(path)
    assert sum(parts) == sum(len(content) for _, content in MEMBERS)
    assert max(parts) <= min(chunk, 1000), "no larger part is unpacked at once"


def test_limits_of_the_unpacked_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_archive(path, [("a", bytes(3_000)), ("b", bytes(2_000))])
    size = path.stat().st_size
    for max_bytes, max_ratio, passes in ((5_000, 1, True), (4_999, 1, False), (1, -(-5_000 // size), True)):
        monkeypatch.setattr(zip_archives, "MAX_BYTES", max_bytes)
        monkeypatch.setattr(zip_archives, "MAX_RATIO", max_ratio)
        if passes:
            check_archive(path)
        else:
            assert "unpack to 0.0 GB" in error_of(path)
    write_directory(path, 24, "<I", 3_210_000_000)
    assert "unpack to 3.2 GB" in error_of(path)


def test_a_duplicate_member(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_archive(tmp_path / "x", [("a", b"1"), ("a", b"2")])
    assert "duplicate" in error_of(tmp_path / "x")


@pytest.mark.parametrize(
    ("offset", "form", "value", "expected"),
    [
        (10, "<H", zipfile.ZIP_BZIP2, "compression method 12"),
        (16, "<I", 12345, "member '{name}' differs"),
        (20, "<I", 3, "member '{name}' differs"),
        (24, "<I", 999, "member '{name}' differs"),
        (24, "<I", 1001, "member '{name}' differs"),
        (42, "<I", 100_000, "truncated"),
    ],
)
def test_a_directory_that_differs_from_its_members(
    offset: int, form: str, value: int, expected: str, tmp_path: Path
) -> None:
    write_archive(tmp_path / "x", [("n" * 150, b"{}" * 500)])
    write_directory(tmp_path / "x", offset, form, value)
    assert expected.format(name="n" * 100) in error_of(tmp_path / "x")


def test_unpacking_stops_at_the_first_byte_too_many(
    parts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_archive(tmp_path / "x", [("a", bytes(10_000))])
    write_directory(tmp_path / "x", 24, "<I", 100)
    monkeypatch.setattr(zip_archives, "CHUNK", 60)
    assert "member 'a' differs" in error_of(tmp_path / "x")
    assert parts == [60, 60]


def test_a_member_that_continues_after_its_declared_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "x", [("a", bytes(120))])
    write_directory(tmp_path / "x", 24, "<I", 60)
    write_directory(tmp_path / "x", 16, "<I", zlib.crc32(bytes(60)))
    monkeypatch.setattr(zip_archives, "CHUNK", 60)
    assert "member 'a' differs" in error_of(tmp_path / "x")


def another_version(path: Path, member: str, content: Any) -> str | None:
    write_archive(path, [(member, json.dumps(content).encode())])
    return made_by_another_version(path)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_archives, "version", {"keras": "3.15.1", "scikit-learn": "1.9.0"}.__getitem__)


@pytest.mark.parametrize(
    ("metadata", "saved_by"),
    [
        ({"keras_version": "3.15.0"}, None),
        ({"keras_version": "3.14.1"}, "3.14.1"),
        ({"keras_version": "4.15.1"}, "4.15.1"),
        ({"keras_version": "9" * 30}, "9" * 20),
        ({}, None),
    ],
)
def test_the_version_of_keras_is_compared_without_its_patch(
    installed: None, tmp_path: Path, metadata: Any, saved_by: str | None
) -> None:
    expected = saved_by and f"was saved by Keras {saved_by}, and this is Keras 3.15.1"
    assert another_version(tmp_path / "x.keras", "metadata.json", metadata) == expected


def schema(version: str, is_json: bool = True) -> Any:
    attribute = {"is_json": is_json, "content": json.dumps(version)}
    return {"content": [1, {"other": {"_sklearn_version": attribute}}], "x": None}


@pytest.mark.parametrize(
    ("content", "saved_by"),
    [
        (schema("1.9.3"), None),
        (schema("1.8.0"), "1.8.0"),
        (schema("1.8.0", is_json=False), None),
        ({"_sklearn_version": "1.8.0"}, None),
        ([], None),
    ],
)
def test_the_version_of_scikit_learn_is_compared_without_its_patch(
    installed: None, tmp_path: Path, content: Any, saved_by: str | None
) -> None:
    expected = saved_by and f"was saved by scikit-learn {saved_by}, and this is scikit-learn 1.9.0"
    assert another_version(tmp_path / "x.skops", "schema.json", content) == expected


def test_addresses_become_numbers_in_order_of_first_use() -> None:
    text = '{"id": 900, "x": [{"id": 17}, {"id": 900}], "id": null, "other": 900, "id": 5}'
    fixed = '{"id": 1, "x": [{"id": 2}, {"id": 1}], "id": null, "other": 900, "id": 3}'
    assert renumbered(text, r'("id": )(\d+)') == fixed
