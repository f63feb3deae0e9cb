"""Zip archives with the same bytes in every process."""

import os
import time
import zipfile
from pathlib import Path

import pytest

from stages.store.archives import read_archive, write_archive

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
