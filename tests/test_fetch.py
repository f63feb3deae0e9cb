"""Stage fetch: the same bytes from every source, and a plain sentence for every fault."""

import gzip
import hashlib
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

from stages.fetch import download, idx, network, sources
from stages.fetch.__main__ import main
from stages.fetch.openml import as_images, as_labels
from stages.shared.errors import UserError
from stages.shared.files.whole_files import locked
from tests.fixtures.idx_files import NAMES, Digits, digits, dotted, gzipped, idx_images, idx_labels, write
from tests.fixtures.loopback import Answer, Loopback
from tests.fixtures.openml_server import changed, columns_of, openml, unknown_data

ROOT = Path(__file__).resolve().parents[1]
MNIST = ROOT / "data" / "mnist"
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES

# Of the decompressed files, as published with MNIST.
PUBLISHED_MD5 = {
    TRAIN_IMAGES: "6bbc9ace898e44ae57da46a324031adb",
    TRAIN_LABELS: "a25bea736e30d166cdddb491f175f624",
    TEST_IMAGES: "2646ac647ad5339dbf082846283269ea",
    TEST_LABELS: "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A proxy would not find the way back to loopback.
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    # Between one attempt and the next.
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


@pytest.fixture
def site() -> Iterator[Loopback]:
    """A web server on loopback."""
    with Loopback() as running:
        yield running


def fetch(source: str | Path, **settings: Any) -> None:
    """Run the stage in the current folder with this section `fetch`."""
    # JSON is YAML.
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": str(source), **settings}}))
    main()


def written() -> dict[str, bytes]:
    """Return the files of data/raw by name."""
    return {path.name: path.read_bytes() for path in Path("data/raw").glob("*")}


def refused(match: str, source: str | Path, **settings: Any) -> str:
    """Run the stage, which must stop with one sentence and write nothing; return the sentence."""
    with pytest.raises(UserError, match=match) as caught:
        fetch(source, **settings)
    assert not Path("data").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def as_openml(site: Loopback, data: Digits) -> dict[str, Any]:
    """Serve a data set as OpenML would, and return the settings that fetch it."""
    site.answers |= openml(columns_of(data.images), [str(label) for label in data.labels])
    return {
        "source": "openml",
        "openml": {"name": "digits", "version": 1, "train_rows": data.train_rows, "server": site.address},
    }


# The sources


@pytest.mark.parametrize("spelt", [gzipped, dict, lambda f: gzipped(dotted(f)), dotted])
@pytest.mark.parametrize("where", ["folder", "address", "openml"])
def test_every_source_gives_the_same_bytes(where: str, spelt: Any, site: Loopback, tmp_path: Path) -> None:
    data = digits()
    files = spelt(data.files())
    if where == "folder":
        fetch(write(tmp_path / "source", files))
    elif where == "address":
        fetch(site.serve("some/mnist", files) + "/")
    else:
        fetch(**as_openml(site, data))

    found = {name: hashlib.sha256(content).hexdigest() for name, content in written().items()}
    write(tmp_path / "other", data.files())
    fetch("other")
    assert found == {name: hashlib.sha256(content).hexdigest() for name, content in written().items()}
    images, labels = np.load("data/raw/images.npy"), np.load("data/raw/labels.npy")
    assert images.dtype == np.uint8 and labels.dtype == np.uint8
    np.testing.assert_array_equal(images, data.images)
    np.testing.assert_array_equal(labels, data.labels)
    assert json.loads(Path("data/raw/division.json").read_text()) == {"rows": 50, "train_rows": 40}


def test_small_images_of_three_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(write(tmp_path / "source", digits(rows=12, side=10, classes=3, train_rows=9).files()))
    assert np.load("data/raw/images.npy").shape == (12, 10, 10)
    said = capsys.readouterr().out
    assert "fetched 12 images of 10 x 10 pixels in 3 classes from" in said
    assert "the first 9 for training" in said


def test_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "mine", digits().files())
    fetch("~/mine")
    assert written()


def test_address_keeps_its_query(site: Loopback) -> None:
    files = gzipped(digits().files())
    site.answers |= {f"/mnist/{name}?token=x": Answer(content) for name, content in files.items()}
    fetch(f"{site.address}/mnist?token=x")
    assert written()


def test_server_that_names_gzip_as_an_encoding(site: Loopback) -> None:
    address = site.serve("mnist", gzipped(digits().files()))
    for answer in site.answers.values():
        assert isinstance(answer, Answer)
        answer.headers["Content-Encoding"] = "gzip"
    fetch(address)
    assert written()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_errors_are_tried_again(status: int, site: Loopback) -> None:
    address = site.serve("mnist", gzipped(digits().files()))
    path = f"/mnist/{TRAIN_IMAGES}.gz"
    site.answers[path] = [Answer(status=status), Answer(status=status), site.answers[path]]  # type: ignore[list-item]
    fetch(address)
    assert site.asked.count(path) == 3


def test_long_download_shows_progress(
    site: Loopback, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stages.shared.process.console.SECONDS_BETWEEN_LINES", 0.0)
    content = digits().files()
    fetch(site.serve("mnist", content))
    size = len(content[TRAIN_IMAGES])
    assert f"{TRAIN_IMAGES}: {size:,} of {size:,} B" in capsys.readouterr().out


def test_openml_by_number_without_division(site: Loopback) -> None:
    data = digits()
    site.answers |= openml(columns_of(data.images), [str(label) for label in data.labels], data_id=61)
    fetch("openml", openml={"data_id": 61, "server": site.address + "/"})
    assert json.loads(Path("data/raw/division.json").read_text()) == {"rows": 50, "train_rows": None}


def test_openml_warning_is_passed_on(site: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    settings = as_openml(site, digits())
    description = site.answers["/api/v1/json/data/554"]
    assert isinstance(description, Answer)
    site.answers["/api/v1/json/data/554"] = changed(description, warning="two rows are doubtful")
    fetch(**settings)
    assert "OpenML: OpenML raised a warning on the dataset." in capsys.readouterr().out


def test_string_labels(site: Loopback) -> None:
    data = digits(rows=6, side=4, train_rows=4)
    names = ["coat", "ankle boot", "coat", "bag", "bag", "coat"]
    site.answers |= openml(columns_of(data.images), names)
    fetch("openml", openml={"name": "digits", "version": 1, "server": site.address})
    labels = np.load("data/raw/labels.npy", allow_pickle=False)
    assert labels.dtype == np.dtype("<U10")
    assert labels.tolist() == names


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (np.array(["5", "0", "255"], dtype=object), np.array([5, 0, 255], dtype=np.uint8)),
        (np.array([5.0, 0.0, 255.0]), np.array([5, 0, 255], dtype=np.uint8)),
        (np.array(["5", "256"], dtype=object), np.array([5, 256], dtype=np.int64)),
        (np.array([-1.0, 1.0]), np.array([-1, 1], dtype=np.int64)),
        (np.array(["05", "5"], dtype=object), np.array(["05", "5"])),
        (np.array(["1", "9" * 30], dtype=object), np.array(["1", "9" * 30])),
        (np.array(["a", "5"], dtype=object), np.array(["a", "5"])),
        (np.array([0.5, 1.0]), np.array(["0.5", "1.0"])),
    ],
)
def test_type_of_labels(target: Any, expected: Any) -> None:
    before = target.copy()
    labels = as_labels(target)
    assert labels.dtype == expected.dtype
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(target, before)


# Faults of files


ROLES = dict(zip(("train_images", "train_labels", "test_images", "test_labels"), NAMES, strict=True))
SMALL = digits().images[40:]


def damaged(**contents: bytes) -> dict[str, bytes]:
    """Return a sound set of files with some replaced; the keys are those of ROLES."""
    return digits().files() | {ROLES[role]: content for role, content in contents.items()}


@pytest.mark.parametrize(
    ("files", "match"),
    [
        (damaged(train_images=b""), rf"{TRAIN_IMAGES}\S* is empty; it must be an IDX file of images"),
        (damaged(train_images=b"\0\0"), "begins with the bytes 00 00; they must be 00 00 08 03"),
        (damaged(train_labels=b"\0\0\x08\x03"), "00 00 08 03, which is an IDX file of images; they must be"),
        (damaged(test_images=idx_images(SMALL, magic=0xD03)), rf"{TEST_IMAGES}\S* is no IDX file of images"),
        (
            damaged(test_images=idx_images(SMALL)[:10]),
            "it has 10 bytes, and the header of images alone takes 16",
        ),
        (damaged(test_images=idx_images(SMALL)[:-1]), r"7,840 bytes \(10 x 28 x 28\), and 7,839 follow"),
        (damaged(test_images=idx_images(SMALL) + b"\0"), "is too long: its header promises 7,840 bytes"),
        (damaged(test_labels=idx_labels(np.zeros(10))[:-3]), "promises 10 bytes, and 7 follow"),
        (damaged(test_images=idx_images(SMALL[:0])), "promises no images; there must be at least one"),
        (damaged(test_labels=idx_labels(np.zeros(0))), "promises no labels; there must be at least one"),
        (damaged(test_images=idx_images(SMALL[:, :20])), "20 x 28 pixels; they must be square and not empty"),
        (
            damaged(test_images=idx_images(SMALL[:, :0, :0])),
            "0 x 0 pixels; they must be square and not empty",
        ),
        (
            damaged(test_images=b"\0\0\x08\x03" + b"\xff" * 12),
            r"promises [\d,]+ bytes \(4,294,967,295 x .*; at most 4,294,967,296 can be read",
        ),
        (
            damaged(test_labels=idx_labels(np.zeros(9))),
            "10 test images and 9 test labels; each image must have one",
        ),
        (
            damaged(test_images=idx_images(digits(side=27).images[40:])),
            "train images are 28 x 28 pixels and the test images 27 x 27; all must have one size",
        ),
        (
            damaged(train_labels=idx_labels(np.full(40, 7)), test_labels=idx_labels(np.full(10, 7))),
            "every label is 7; at least two classes are needed",
        ),
    ],
)
@pytest.mark.parametrize("spelt", [dict, gzipped])
def test_faulty_idx(files: dict[str, bytes], match: str, spelt: Any, tmp_path: Path) -> None:
    refused(match, write(tmp_path / "source", spelt(files)))


GZ = gzip.compress(idx_images(SMALL), mtime=0)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (GZ[:-100], r"t10k-images-idx3-ubyte.gz breaks off: its gzip data have no end; fetch the file again"),
        (GZ[:-4], "breaks off: its gzip data have no end"),
        (GZ + b"garbage", "is damaged: bytes that do not belong there follow its gzip data"),
        (GZ + GZ, "is too long: its header promises 7,840 bytes"),
        (GZ[:-8] + b"\0" * 8, "is damaged: bad gzip data .CRC check failed"),
        (GZ[:10] + b"\x07" + GZ[11:], "is damaged: bad gzip data .*invalid block type"),
        (gzip.compress(b"<html>", mtime=0), "is no IDX file of images: it begins with the bytes 3c 68 74 6d"),
    ],
)
def test_faulty_gzip(content: bytes, match: str, site: Loopback, tmp_path: Path) -> None:
    files = gzipped(digits().files()) | {f"{TEST_IMAGES}.gz": content}
    refused(match, write(tmp_path / "source", files))
    sentence = refused(match, site.serve("mnist", files))
    assert sentence.startswith(f"{site.address}/mnist/{TEST_IMAGES}.gz")


def test_bomb_is_not_inflated() -> None:
    bomb = BytesIO(gzip.compress(idx_images(SMALL) + bytes(50_000_000)))
    with gzip.GzipFile(fileobj=bomb) as stream:
        with pytest.raises(UserError, match="bomb is too long: its header promises 7,840 bytes"):
            idx.read_images(stream, "bomb")  # type: ignore[arg-type]
        assert stream.tell() < 10_000


@pytest.mark.parametrize("rows", [10_000, 2_000_000])
def test_bomb_is_told_by_its_header(rows: int) -> None:
    header = (0x803, rows, 28, 28)
    packed = gzip.compress(struct.pack(">4I", *header) + bytes(10_000 * 784), mtime=0)
    with gzip.GzipFile(fileobj=BytesIO(packed)) as stream:
        if rows == 10_000:  # all black, but not too large to be looked at
            assert idx.read_images(stream, "black", len(packed)).shape == (rows, 28, 28)  # type: ignore[arg-type]
            return
        with pytest.raises(UserError, match=r"bomb: its header promises 1,568,000,000 bytes .*, more than 500 times"):
            idx.read_images(stream, "bomb", len(packed))  # type: ignore[arg-type]
        assert stream.tell() == 16


@pytest.mark.parametrize("where", ["folder", "address"])
def test_a_bomb_is_refused(where: str, site: Loopback, tmp_path: Path) -> None:
    bomb = gzip.compress(struct.pack(">4I", 0x803, 2_000_000, 28, 28) + bytes(10_000_000))
    files = gzipped(digits().files()) | {f"{TEST_IMAGES}.gz": bomb}
    source = write(tmp_path / "source", files) if where == "folder" else site.serve("mnist", files)
    refused(f"^{source}/{TEST_IMAGES}.gz: its header promises .*; no pictures are that empty", source)


@pytest.mark.parametrize("spelt", [dict, gzipped])
def test_a_header_that_promises_too_much_costs_no_memory(spelt: Any, tmp_path: Path) -> None:
    images = bytearray(idx_images(digits(rows=3000).images))
    images[4:8] = (1_000_000).to_bytes(4, "big")
    folder = write(tmp_path / "source", spelt(damaged(train_images=bytes(images))))
    tracemalloc.start()
    try:
        refused(r"breaks off: its header promises 784,000,000 bytes .*, and 2,352,000 follow", folder)
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("spelt", [dict, gzipped])
def test_a_file_cut_off_at_any_byte(spelt: Any, tmp_path: Path) -> None:
    files = spelt(digits(rows=12, side=4, train_rows=9).files())
    folder = write(tmp_path / "source", files)
    for name, content in files.items():
        for length in range(len(content)):
            (folder / name).write_bytes(content[:length])
            assert refused(".", folder).startswith(f"{folder}/{name} "), length
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("framing", ["length", "chunks", "end"])
@pytest.mark.parametrize("spelt", [dict, gzipped])
def test_a_download_cut_off_at_any_byte(spelt: Any, framing: str, site: Loopback) -> None:
    files = spelt(digits(rows=12, side=4, train_rows=9).files())
    address = site.serve("mnist", files)
    name, content = list(files.items())[2]
    for length in range(0, len(content), 3):
        site.answers[f"/mnist/{name}"] = Answer(content, framing=framing, cut=length, reset=length % 2 == 0)
        assert f"{address}/{name}" in refused("broke off|breaks off|is empty|begins with", address), length
    site.answers[f"/mnist/{name}"] = Answer(content, framing=framing)
    fetch(address)
    assert written()


def test_missing_file(tmp_path: Path) -> None:
    files = digits().files()
    del files[TEST_LABELS]
    folder = write(tmp_path / "source", files)
    names = r"t10k-labels-idx1-ubyte.gz, .*, t10k-labels.idx1-ubyte; the folder must hold one of these files"
    refused(f"source has no {names}", folder)


@pytest.mark.parametrize("source", ["nowhere", "params.yaml"])
def test_missing_folder(source: str) -> None:
    refused(f"'{source}' is no folder; write a folder, an http.s. address, or openml", source)


@pytest.mark.parametrize("source", ["~nobody-of-this-name/mnist", "n" * 5000])
def test_folder_that_cannot_be_looked_into(source: str) -> None:
    refused("^fetch.source '.*' cannot be read: ", source)


# Checksums


def sums(data: Digits) -> dict[str, str]:
    """Return the checksums of a data set as params.yaml has them."""
    return {
        "images": hashlib.sha256(data.images.tobytes()).hexdigest(),
        "labels": hashlib.sha256(data.labels.tobytes()).hexdigest(),
    }


@pytest.mark.parametrize("keys", [["images", "labels"], ["images"], ["labels"], []])
def test_checksums_that_hold(keys: list[str], tmp_path: Path) -> None:
    data = digits()
    fetch(write(tmp_path / "source", data.files()), sha256={key: sums(data)[key] for key in keys})
    assert written()


@pytest.mark.parametrize("key", ["images", "labels"])
def test_checksum_that_does_not_hold(key: str, tmp_path: Path) -> None:
    data = digits()
    folder = write(tmp_path / "source", data.files())
    sentence = refused(
        f"the {key} have SHA-256 {sums(data)[key]}, and fetch.sha256.{key} of params.yaml asks for {'0' * 64}",
        folder,
        sha256=sums(data) | {key: "0" * 64},
    )
    assert sentence.startswith(str(folder))


def test_both_checksums_are_told(tmp_path: Path) -> None:
    folder = write(tmp_path / "source", digits().files())
    with pytest.raises(UserError) as caught:
        fetch(folder, sha256={"images": "0" * 64, "labels": "1" * 64})
    assert len(str(caught.value).splitlines()) == 2


# Faults of servers


def unused_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/mnist", "file:///tmp", "http://", "http://[::1", "http://a:b/"])
@pytest.mark.parametrize("where", ["source", "server"])
def test_address_of_another_kind(address: str, where: str) -> None:
    match = rf"^fetch\..* '{re.escape(address)}' (cannot be fetched; an address begins with|is no valid address)"
    if where == "source":
        refused(match, address)
    else:
        refused(match, "openml", openml={"data_id": 61, "server": address})


def test_refused_connection() -> None:
    port = unused_port()
    refused(
        f"cannot fetch http://127.0.0.1:{port}/mnist/{TRAIN_IMAGES}.gz: the connection was refused",
        f"http://127.0.0.1:{port}/mnist",
    )


def test_unknown_host() -> None:
    # Too long to be asked for anywhere: the resolver itself says so, and nothing leaves loopback.
    host = ".".join(["a" * 60] * 5 + ["invalid"])
    refused(f"cannot fetch http://{host}/.*: no such host is known; check the spelling", f"http://{host}")


@pytest.mark.parametrize(
    "host", ["a..b", "a" * 64 + ".invalid", ".invalid", "a b.invalid", "\0.invalid", "\u2603.invalid"]
)
def test_host_that_cannot_be(host: str) -> None:
    refused("^cannot fetch http://", f"http://{host}/mnist")


def test_nothing_there(site: Loopback) -> None:
    sentence = refused(f"{site.address}/empty has no {TRAIN_IMAGES}.gz, ", site.address + "/empty")
    assert "train-images.idx3-ubyte (404 Not Found)" in sentence
    assert len(site.asked) == 4


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (Answer(status=403), "the server answers 403 Forbidden; check fetch.source"),
        (Answer(status=503), "the server answers 503 Service Unavailable; try again later"),
        (Answer(status=429, headers={"Retry-After": "0"}), "answers 429 Too Many Requests; try again later"),
        (
            Answer(status=302, headers={"Location": "ftp://127.0.0.1/"}),
            "points to an address that does not begin with http://",
        ),
        (Answer(b"\n<!DOCTYPE html><p>Log in"), "the server sends a web page in place of the file"),
        (
            Answer(b"Log in", headers={"Content-Type": "text/html; charset=utf-8"}),
            "sends a web page in place",
        ),
        (
            Answer(GZ, headers={"Content-Length": "9999"}),
            rf"it broke off after {len(GZ):,} of 9,999 bytes; try again",
        ),
        (Answer(b"\0" * 50_000), "larger than 40,000 bytes"),
    ],
)
def test_faulty_answer(answer: Answer, match: str, site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST", 40_000)
    address = site.serve("mnist", gzipped(digits().files()))
    site.answers[f"/mnist/{TEST_IMAGES}.gz"] = answer
    sentence = refused(match, address)
    assert f"{site.address}/mnist/{TEST_IMAGES}.gz" in sentence


@pytest.mark.parametrize(
    ("headers", "waits"),
    [
        ({}, [1, 2, 4]),
        ({"Retry-After": "7"}, [7] * 4),
        ({"Retry-After": "3600"}, [60] * 4),
        ({"Retry-After": "?"}, [1, 2, 4]),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_ever_later_or_when_it_says(
    status: int,
    headers: dict[str, str],
    waits: list[float],
    site: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    site.otherwise = Answer(status=status, headers=headers)
    refused(f"the server answers {status} .*; try again later", site.address)
    assert slept == waits
    assert len(site.asked) == 5
    told = [f"the server answers {status}; asking again in {seconds} s" for seconds in waits]
    assert capsys.readouterr().out.splitlines() == told


@pytest.mark.parametrize("where", ["source", "openml"])
@pytest.mark.parametrize(
    ("answer", "settings", "match"),
    [
        (
            Answer(b"x" * 100, silent=True),
            {"SECONDS_OF_SILENCE": 0.1},
            "the server kept silent for 0.1 seconds; try again later",
        ),
        (
            Answer(b"x" * 100, seconds_a_byte=0.02),
            {"SECONDS_OF_PATIENCE": 0.2},
            "the server has sent fewer than 1,000 bytes a second for 0.2 seconds; try again later",
        ),
    ],
    ids=["silent", "slow"],
)
def test_a_server_that_is_silent_or_slow(
    where: str,
    answer: Answer,
    settings: dict[str, float],
    match: str,
    site: Loopback,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in settings.items():
        monkeypatch.setattr(network, name, value, raising=False)
    site.otherwise = answer
    if where == "source":
        refused(f"cannot fetch .*: {match}", site.address)
    else:
        refused(f"cannot fetch .*: {match}", "openml", openml={"data_id": 61, "server": site.address})


def test_a_slow_server_that_is_fast_enough_is_waited_for(site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SECONDS_OF_PATIENCE", 0.1)
    monkeypatch.setattr(network, "SLOWEST", 5)
    files = digits().files()
    address = site.serve("mnist", files)
    site.answers[f"/mnist/{TEST_LABELS}"] = Answer(files[TEST_LABELS], seconds_a_byte=0.02)
    fetch(address)
    assert written()


# Faults of OpenML's data sets


def test_openml_refused_connection() -> None:
    port = unused_port()
    refused(
        f"cannot fetch data set 61, of http://127.0.0.1:{port}: the connection was refused",
        "openml",
        openml={"data_id": 61, "server": f"http://127.0.0.1:{port}"},
    )


@pytest.mark.parametrize(
    ("wanted", "match"),
    [
        (
            {"name": "digitz", "version": 1},
            "digitz, version 1, of .*: Dataset digitz with version 1 not found",
        ),
        ({"data_id": 7}, "data set 7, of .*: Dataset with data_id 7 not found; check fetch.openml"),
    ],
)
def test_openml_does_not_have_it(wanted: dict[str, Any], match: str, site: Loopback) -> None:
    site.otherwise = unknown_data()
    refused(match, "openml", openml={**wanted, "server": site.address})


@pytest.mark.parametrize(
    ("path", "answer", "match"),
    [
        ("/api/v1/json/data/554", Answer(b"<html>"), "sends something that is no JSON, perhaps a web page"),
        ("/api/v1/json/data/554", Answer(b"{}"), "the server's answer lacks what OpenML's has"),
        ("/api/v1/json/data/554", Answer(b"gone", 410), "the server answers 410 Gone; check fetch.openml"),
        (
            "/data/v1/download/554/digits.arff",
            Answer(b"@DATA"),
            "do not have the MD5 that the server itself gives",
        ),
        ("/data/v1/download/554/digits.arff", Answer(b"x", headers={"Content-Length": "9"}), "MD5|broke off"),
    ],
)
def test_faulty_answer_of_openml(path: str, answer: Answer, match: str, site: Loopback) -> None:
    settings = as_openml(site, digits(rows=5, side=3, train_rows=4))
    site.answers[path] = answer
    refused(match, **settings)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x"])
def test_openml_points_elsewhere(url: str, site: Loopback) -> None:
    settings = as_openml(site, digits(rows=5, side=3, train_rows=4))
    description = site.answers["/api/v1/json/data/554"]
    assert isinstance(description, Answer)
    site.answers["/api/v1/json/data/554"] = changed(description, url=url)
    refused("points to an address that does not begin with http://", **settings)


def test_openml_arff_that_is_none(site: Loopback) -> None:
    settings = as_openml(site, digits(rows=5, side=3, train_rows=4))
    description = site.answers["/api/v1/json/data/554"]
    assert isinstance(description, Answer)
    content = b"a,b\n1,2\n"
    site.answers["/api/v1/json/data/554"] = changed(description, md5_checksum=hashlib.md5(content).hexdigest())
    site.answers["/data/v1/download/554/digits.arff"] = Answer(content)
    refused("cannot fetch digits, version 1, of .*; check fetch.openml", **settings)


@pytest.mark.parametrize(
    ("pixels", "labels", "settings", "match"),
    [
        (np.zeros((4, 10), int), "0101", {}, "4 rows of 10 pixel columns; square images need"),
        (
            np.full((4, 9), 256),
            "0101",
            {},
            "row 1, pixel column 1 is 256; grey values must be integers from 0",
        ),
        (np.full((4, 9), -1), "0101", {}, "is -1; grey values must be"),
        (np.full((4, 9), 0.5), "0101", {}, "is 0.5; grey values must be"),
        (
            np.array([[0, 0, 0, 0], [0, 0, 0, None]]),
            "01",
            {},
            "row 2, pixel column 4 is nan; grey values must be",
        ),
        (np.zeros((4, 9), int), "1111", {}, "every label is 1; at least two classes are needed"),
        (
            np.zeros((4, 9), int),
            "0101",
            {"train_rows": 4},
            "has 4 rows, so that 4 in fetch.openml.train_rows leaves",
        ),
    ],
)
def test_openml_data_that_are_no_images(
    pixels: Any, labels: str, settings: dict[str, Any], match: str, site: Loopback
) -> None:
    site.answers |= openml(pixels, list(labels))
    refused(match, "openml", openml={"name": "digits", "version": 1, "server": site.address, **settings})


def test_openml_labels_that_are_missing(site: Loopback) -> None:
    site.answers |= openml(np.zeros((4, 9), int), ["0", "1", "?", "1"], numeric_labels=True)
    refused("rows without a label: 1; each must have one", "openml", openml={"data_id": 554, "server": site.address})


def test_openml_columns_of_names_and_targets(site: Loopback) -> None:
    data = digits(rows=5, side=3, train_rows=4)
    settings = as_openml(site, data)
    path = "/api/v1/json/data/features/554"
    answer = site.answers[path]
    assert isinstance(answer, Answer)
    told = json.loads(answer.body)
    for feature in told["data_features"]["feature"]:
        feature["is_target"] = "false"
    site.answers[path] = replace(answer, body=json.dumps(told).encode())
    refused("column 'class' holds names; pixel columns must hold numbers", **settings)
    told["data_features"]["feature"][-1]["is_ignore"] = "true"
    site.answers[path] = replace(answer, body=json.dumps(told).encode())
    refused("has no target column; there must be one, with the labels", **settings)


def test_images_do_not_change_their_columns() -> None:
    columns = np.arange(18.0).reshape(2, 9)
    images = as_images(columns)
    assert images.shape == (2, 3, 3)
    images[:] = 0
    assert columns[0, 1] == 1


# The stage as a program


def test_as_a_process(tmp_path: Path) -> None:
    write(tmp_path / "source", digits().files())
    Path("params.yaml").write_text("fetch:\n  source: source\n")
    command = [sys.executable, "-m", "stages.fetch"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "fetched 50 images of 28 x 28 pixels in 10 classes from source, the first 40 for training\n"
    assert done.stderr == ""
    before = written()

    (tmp_path / "source" / TRAIN_LABELS).write_bytes(b"nonsense")
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"fetch: source/{TRAIN_LABELS} is no IDX file of labels")
    assert len(done.stderr.splitlines()) == 1
    assert written() == before


def started(folder: Path, source: str, **settings: Any) -> subprocess.Popen[str]:
    """Start the stage in a folder of its own, with a temporary folder of its own."""
    (folder / "temporary").mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(json.dumps({"fetch": {"source": source, **settings}}))
    return subprocess.Popen(
        [sys.executable, "-m", "stages.fetch"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# Name -> the answer in place of a file, settings, and what must be said.
FAULTS: dict[str, tuple[dict[str, Answer], dict[str, Any], str]] = {
    "forbidden": ({TEST_IMAGES: Answer(status=403)}, {}, "the server answers 403 Forbidden; check fetch.source"),
    "page": ({TEST_IMAGES: Answer(b"<html>Log in")}, {}, "sends a web page in place of the file"),
    "cut": ({TEST_IMAGES: Answer(GZ, cut=4000)}, {}, "broke off after 4,000 of "),
    "reset": ({TEST_IMAGES: Answer(GZ, cut=4000, reset=True)}, {}, "broke off after 4,000 of "),
    "cut without a word": ({TEST_IMAGES: Answer(GZ, cut=4000, framing="end")}, {}, "its gzip data have no end"),
    "garbage": ({TEST_IMAGES: Answer(GZ + b"garbage")}, {}, "bytes that do not belong there follow"),
    "magic": ({TEST_LABELS: Answer(GZ)}, {}, "is no IDX file of labels"),
    "fewer": ({TEST_LABELS: Answer(idx_labels(np.zeros(9)))}, {}, "10 test images and 9 test labels"),
    "checksum": ({}, {"sha256": {"labels": "0" * 64}}, "the labels have SHA-256 "),
}


def test_each_fault_ends_the_program_with_one_sentence_and_leaves_nothing(site: Loopback, tmp_path: Path) -> None:
    running, before = {}, {}
    for number, (name, (answers, settings, _)) in enumerate(FAULTS.items()):
        address = site.serve(str(number), gzipped(digits().files()))
        site.answers |= {f"/{number}/{file}.gz": answer for file, answer in answers.items()}
        folder = tmp_path / name
        if number % 2:
            write(folder / "data" / "raw", {"images.npy": b"older", "labels.npy": b"data"})
        running[name] = started(folder, address, **settings)
        before[name] = set(folder.rglob("*"))
    for name, process in running.items():
        said, complained = process.communicate()
        assert (process.returncode, said) == (1, ""), (name, complained)
        assert re.fullmatch(f"fetch: [^\n]*{re.escape(FAULTS[name][2])}[^\n]*\n", complained), name
        assert set((tmp_path / name).rglob("*")) == before[name], name
        assert all(path.read_bytes() in (b"older", b"data") for path in (tmp_path / name / "data").rglob("*.npy"))


@pytest.mark.parametrize(("sent", "said"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_waiting_for_a_slow_server_can_be_interrupted(sent: signal.Signals, said: str, tmp_path: Path) -> None:
    with Loopback(Answer(b"x" * 10_000, seconds_a_byte=0.2)) as site:
        process = started(tmp_path, site.address)
        until = monotonic() + 30
        while not any((tmp_path / "temporary").rglob("*ubyte")) and monotonic() < until:
            site.over.wait(0.02)
        process.send_signal(sent)
        begun = monotonic()
        _, complained = process.communicate(timeout=30)
        assert monotonic() - begun < 5
    assert process.returncode == 128 + sent
    assert complained == f"fetch: {said}; nothing half-written is left\n"
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "data").exists()


# The disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A file system of its own: `small_disk("size=200k")` mounts it, another call changes its options."""
    place = tmp_path / "disk"
    place.mkdir()

    def mounted(options: str) -> Path:
        if place.is_mount():
            options += ",remount"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"file systems may not be mounted here: {done.stderr.strip()}")
        return place

    yield mounted
    if place.is_mount():
        subprocess.run(["umount", "--lazy", place], check=True)


# Of the new files images.npy takes 10 pages of 4 kB, the others one each.
@pytest.mark.parametrize(
    ("room", "enough"), [(0, False), (20, False), (40, False), (44, False), (48, True)], ids=lambda value: str(value)
)
def test_a_full_disk_loses_nothing(
    room: int, enough: bool, small_disk: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "source", digits().files())
    older = write(tmp_path / "older", digits(rows=4, side=4, classes=2, train_rows=2).files())
    monkeypatch.chdir(small_disk("size=200k"))
    fetch(older)
    before = written()
    used = 4  # files, of which params.yaml is one
    small_disk(f"size={4 * used + room}k")
    if enough:
        fetch(source)
        assert np.load("data/raw/images.npy").shape == (50, 28, 28)
    else:
        with pytest.raises(UserError, match=r"^cannot write data/raw/.*: (No space left on device|Not enough free)"):
            fetch(source)
        assert written() == before


def test_a_disk_that_is_read_only(
    small_disk: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = write(tmp_path / "older", digits(rows=4, side=4, classes=2, train_rows=2).files())
    source = write(tmp_path / "source", digits().files())
    monkeypatch.chdir(small_disk("size=200k"))
    fetch(older)
    before = written()
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": str(source)}}))
    small_disk("ro")
    with pytest.raises(UserError, match=r"^cannot write data/.raw.lock: Read-only file system$"):
        main()
    assert written() == before


def test_a_temporary_folder_that_is_full_or_read_only(
    small_disk: Callable[..., Path], site: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = site.serve("mnist", gzipped(digits().files()))
    disk = small_disk("size=20k")
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    refused("cannot write .*, where .* was to go: No space left on device", address)
    assert not list(disk.iterdir())
    small_disk("ro")
    refused("cannot make a temporary folder for the downloads: Read-only file system; set .* TMPDIR", address)


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    write(tmp_path / "source", digits().files())
    Path("data").write_text("not a folder")
    with pytest.raises(UserError, match=r"^cannot write data/.raw.lock: (Not a directory|File exists)$"):
        fetch("source")
    assert Path("data").read_text() == "not a folder"


def test_a_disk_that_takes_no_more_at_any_byte(tmp_path: Path) -> None:
    write(tmp_path / "source", digits(rows=20, side=8, train_rows=10).files())
    Path("params.yaml").write_text('{"fetch": {"source": "source"}}')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for most in range(0, 128 + 20 * 64, 19):
        # As a quota does, of which NumPy takes no notice near the end of a file.
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
        try:
            with pytest.raises(UserError, match=r"^cannot write data/raw/.*: File too large"):
                main()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not written(), most


# Several at once


def test_a_fetch_waits_for_one_that_is_writing(tmp_path: Path) -> None:
    source = write(tmp_path / "source", digits().files())
    older = {"images.npy": b"older", "labels.npy": b"data"}
    write(tmp_path / "data" / "raw", older)
    with locked(Path("data/raw")):
        process = started(tmp_path, str(source))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
        assert written() == older
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert said.startswith("fetched 50 images")
    assert set(written()) == {"images.npy", "labels.npy", "division.json"}


def test_several_fetches_at_once_leave_one_data_set(site: Loopback, tmp_path: Path) -> None:
    sets = {rows: digits(rows=rows, side=8, train_rows=10, seed=rows) for rows in (20, 30, 40)}
    running = []
    for rows, data in sets.items():
        running.append(started(tmp_path, site.serve(str(rows), data.files())))
        # Once it asks for files it has read params.yaml.
        while not any(path.startswith(f"/{rows}/") for path in site.asked) and running[-1].poll() is None:
            site.over.wait(0.01)
    for process in running:
        _, complained = process.communicate(timeout=60)
        assert process.returncode == 0, complained
    data = sets[json.loads(Path("data/raw/division.json").read_text())["rows"]]
    np.testing.assert_array_equal(np.load("data/raw/images.npy"), data.images)
    np.testing.assert_array_equal(np.load("data/raw/labels.npy"), data.labels)
    assert len(written()) == 3


# The bundled data


def test_bundled_files_are_the_published_ones() -> None:
    for name, md5 in PUBLISHED_MD5.items():
        assert hashlib.md5(gzip.decompress((MNIST / f"{name}.gz").read_bytes())).hexdigest() == md5
    raw = sources.from_folder(str(MNIST))
    assert raw.images.shape == (70_000, 28, 28) and raw.images.dtype == np.uint8
    assert raw.labels.shape == (70_000,) and raw.labels.dtype == np.uint8
    assert raw.train_rows == 60_000

    told = (MNIST / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(raw.images.tobytes()).hexdigest() in told
    assert hashlib.sha256(raw.labels.tobytes()).hexdigest() in told
    for name, md5 in PUBLISHED_MD5.items():
        content = (MNIST / f"{name}.gz").read_bytes()
        row = next(line for line in told.splitlines() if line.startswith(f"| `{name}.gz`"))
        assert f"{len(content):,}" in row and hashlib.sha256(content).hexdigest() in row and md5 in row
