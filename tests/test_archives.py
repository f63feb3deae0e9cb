"""Zip archives with the same bytes in every process."""

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
from stages.shared.files.zip_archives import check_archive, made_by_another_version, read_archive, write_archive

MEMBERS = [("b.json", b"{}" * 500), ("a/weights", bytes(range(256))), ("empty", b"")]


def test_members_come_back_in_their_order(tmp_path: Path) -> None:
    write_archive(tmp_path / "x", iter(MEMBERS))
    assert read_archive(tmp_path / "x") == MEMBERS


def test_neither_time_nor_owner_nor_machine_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "x", MEMBERS)
    monkeypatch.setattr(time, "localtime", lambda *_: time.struct_time((2031, 5, 7, 1, 2, 4, 2, 127, 0)))
    monkeypatch.setattr("sys.platform", "win32")  # where zipfile notes another system
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


# Before one is read


def directory(path: Path, offset: int, form: str, value: int) -> None:
    """Write a number into the first member's entry in the directory of an archive."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(b"PK\1\2") + offset, value)
    path.write_bytes(content)


def refused(path: Path) -> str:
    with pytest.raises(zipfile.BadZipFile) as caught:
        check_archive(path)
    return str(caught.value)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_sound_archive_passes_in_chunks(
    compression: int, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in MEMBERS:
            info = zipfile.ZipInfo(name)
            info.compress_type = compression
            info.extra = struct.pack("<HH", 0x9999, 3) + b"abc"
            archive.writestr(info, content)
    monkeypatch.setattr(zip_archives, "CHUNK", chunk)
    lengths = []
    crc32 = zlib.crc32

    def noted(part: bytes, checksum: int) -> int:
        lengths.append(len(part))
        return crc32(part, checksum)

    monkeypatch.setattr(zlib, "crc32", noted)
    check_archive(path)
    assert sum(lengths) == sum(len(content) for _, content in MEMBERS)
    assert max(lengths) <= min(chunk, 1000), "no more is unpacked at once"


def test_what_an_archive_may_unpack_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    write_archive(path, [("a", bytes(3_000)), ("b", bytes(2_000))])
    size = path.stat().st_size
    for most_bytes, most_times, passes in ((5_000, 1, True), (4_999, 1, False), (1, -(-5_000 // size), True)):
        monkeypatch.setattr(zip_archives, "MOST_BYTES", most_bytes)
        monkeypatch.setattr(zip_archives, "MOST_TIMES", most_times)
        if passes:
            check_archive(path)
        else:
            assert refused(path) == "it would unpack to 0.0 GB, as no model does"
    directory(path, 24, "<I", 3_210_000_000)
    assert refused(path) == "it would unpack to 3.2 GB, as no model does"


def test_a_member_named_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        write_archive(tmp_path / "x", [("a", b"1"), ("a", b"2")])
    assert refused(tmp_path / "x") == "it names a member twice"


@pytest.mark.parametrize(
    ("offset", "form", "value", "sentence"),
    [
        (10, "<H", zipfile.ZIP_BZIP2, "it is compressed in a way that model files never are"),
        (16, "<I", 12345, "its member '{name}' is not what its directory says"),
        (20, "<I", 3, "its member '{name}' is not what its directory says"),
        (24, "<I", 999, "its member '{name}' is not what its directory says"),
        (24, "<I", 1001, "its member '{name}' is not what its directory says"),
        (42, "<I", 100_000, "it is cut off"),
    ],
)
def test_a_directory_that_does_not_fit_its_members(
    offset: int, form: str, value: int, sentence: str, tmp_path: Path
) -> None:
    write_archive(tmp_path / "x", [("n" * 150, b"{}" * 500)])
    directory(tmp_path / "x", offset, form, value)
    assert refused(tmp_path / "x") == sentence.format(name="n" * 100)


def test_no_more_is_unpacked_than_tells_that_it_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "x", [("a", bytes(10_000))])
    directory(tmp_path / "x", 24, "<I", 100)
    monkeypatch.setattr(zip_archives, "CHUNK", 60)
    lengths = []
    crc32 = zlib.crc32

    def noted(part: bytes, checksum: int) -> int:
        lengths.append(len(part))
        return crc32(part, checksum)

    monkeypatch.setattr(zlib, "crc32", noted)
    assert "not what its directory says" in refused(tmp_path / "x")
    assert lengths == [60, 60]


def test_a_member_goes_on_after_its_declared_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "x", [("a", bytes(120))])
    directory(tmp_path / "x", 24, "<I", 60)
    directory(tmp_path / "x", 16, "<I", zlib.crc32(bytes(60)))
    monkeypatch.setattr(zip_archives, "CHUNK", 60)
    assert refused(tmp_path / "x") == "its member 'a' is not what its directory says"


def saved_by(path: Path, member: str, content: Any) -> str | None:
    write_archive(path, [(member, json.dumps(content).encode())])
    return made_by_another_version(path)


def test_the_version_that_saved_a_model_is_compared_but_for_its_last_digit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_archives, "version", {"keras": "3.15.1", "scikit-learn": "1.9.0"}.__getitem__)
    for found, said in (
        ({"keras_version": "3.15.0"}, None),
        ({"keras_version": "3.14.1"}, "was saved by Keras 3.14.1, and this is Keras 3.15.1"),
        ({"keras_version": "4.15.1"}, "was saved by Keras 4.15.1, and this is Keras 3.15.1"),
        ({"keras_version": "9" * 30}, f"was saved by Keras {'9' * 20}, and this is Keras 3.15.1"),
        ({}, None),
    ):
        assert saved_by(tmp_path / "x.keras", "metadata.json", found) == said

    def schema(number: str, **flags: bool) -> Any:
        held = {"is_json": True, "content": json.dumps(number), **flags}
        return {"content": [1, {"other": {"_sklearn_version": held}}], "x": None}

    for found, said in (
        (schema("1.9.3"), None),
        (schema("1.8.0"), "was saved by scikit-learn 1.8.0, and this is scikit-learn 1.9.0"),
        (schema("1.8.0", is_json=False), None),
        ({"_sklearn_version": "1.8.0"}, None),
        ([], None),
    ):
        assert saved_by(tmp_path / "x.skops", "schema.json", found) == said
