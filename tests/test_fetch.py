"""Stage fetch: the same bytes from every source, and one clear sentence for every fault."""

import gzip
import hashlib
import json
import os
import resource
import signal
import socket
import struct
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.fetch import download, idx, idx_files
from stages.fetch.__main__ import main
from stages.fetch.arrays import as_labels
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

ARFF = "/data/v1/download/554/digits.arff"
DESCRIPTION = "/api/v1/json/data/554"
FEATURES = "/api/v1/json/data/features/554"


@pytest.fixture(autouse=True)
def waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Work in an empty folder, without a proxy and without waiting before retries; returns the seconds waited."""
    waits: list[float] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@pytest.fixture
def site() -> Iterator[Loopback]:
    """A web server on loopback."""
    with Loopback() as running:
        yield running


def fetch(source: str | Path, **settings: Any) -> None:
    """Run the stage in the current folder with these settings of section `fetch`."""
    # JSON is YAML.
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": str(source), **settings}}))
    main()


def written() -> dict[str, bytes]:
    """Return the files of data/raw by name."""
    return {path.name: path.read_bytes() for path in Path("data/raw").glob("*")}


def refused(source: str | Path, *facts: str, **settings: Any) -> str:
    """Run the stage, which must end with one sentence that has these facts, and write nothing; return the sentence."""
    with pytest.raises(UserError) as caught:
        fetch(source, **settings)
    sentence = str(caught.value)
    assert not Path("data").exists()
    assert "\n" not in sentence
    assert [fact for fact in facts if fact not in sentence] == [], sentence
    return sentence


def serve_openml(site: Loopback, data: Digits | None = None) -> dict[str, Any]:
    """Serve a data set as OpenML does, and return the settings that fetch it."""
    data = data or digits(rows=5, side=3, train_rows=4)
    site.answers |= openml(columns_of(data.images), [str(label) for label in data.labels])
    dataset = {"name": "digits", "version": 1, "train_rows": data.train_rows, "server": site.address}
    return {"source": "openml", "openml": dataset}


def refused_openml(settings: dict[str, Any], *facts: str) -> None:
    """Run the stage with the settings of `serve_openml`; like `refused`."""
    refused("openml", *facts, openml=settings["openml"])


def answer_of(site: Loopback, path: str) -> Answer:
    """Return the only answer of a path."""
    answer = site.answers[path]
    assert isinstance(answer, Answer)
    return answer


# The sources


@pytest.mark.parametrize("stored", [gzipped, dict, lambda f: gzipped(dotted(f)), dotted])
@pytest.mark.parametrize("where", ["folder", "address", "openml"])
def test_every_source_gives_the_same_bytes(where: str, stored: Any, site: Loopback, tmp_path: Path) -> None:
    data = digits()
    files = stored(data.files())
    if where == "folder":
        fetch(write(tmp_path / "source", files))
    elif where == "address":
        fetch(site.serve("some/mnist", files) + "/")
    else:
        fetch(**serve_openml(site, data))

    first = written()
    write(tmp_path / "other", data.files())
    fetch("other")
    assert written() == first
    images, labels = np.load("data/raw/images.npy"), np.load("data/raw/labels.npy")
    assert images.dtype == np.uint8 and labels.dtype == np.uint8
    np.testing.assert_array_equal(images, data.images)
    np.testing.assert_array_equal(labels, data.labels)
    assert json.loads(Path("data/raw/division.json").read_text()) == {"rows": 50, "train_rows": 40}


def test_small_images_of_three_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(write(tmp_path / "source", digits(rows=12, side=10, classes=3, train_rows=9).files()))
    assert np.load("data/raw/images.npy").shape == (12, 10, 10)
    output = capsys.readouterr().out
    for fact in ("12 images", "10 x 10", "3 classes", "first 9"):
        assert fact in output


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


def test_server_that_declares_gzip_as_the_encoding(site: Loopback) -> None:
    address = site.serve("mnist", gzipped(digits().files()))
    for path in site.answers:
        answer_of(site, path).headers["Content-Encoding"] = "gzip"
    fetch(address)
    assert written()


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


def test_openml_prints_warnings(site: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
    settings = serve_openml(site)
    description = answer_of(site, DESCRIPTION)
    site.answers[DESCRIPTION] = [Answer(status=503), changed(description, warning="two rows are doubtful")]
    fetch(**settings)
    _, retry, warning, *_ = capsys.readouterr().out.splitlines()
    assert DESCRIPTION in retry and "503 Service Unavailable; trying again in 1 s" in retry
    assert warning.startswith("OpenML: ") and "warning" in warning


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


SMALL = digits().images[40:]
GZ = gzip.compress(idx_images(SMALL), mtime=0)


@pytest.mark.parametrize(
    ("name", "content", "facts"),
    [
        (TRAIN_IMAGES, b"", [TRAIN_IMAGES, "is empty"]),
        (TRAIN_LABELS, b"\0\0\x08\x03", [TRAIN_LABELS, "not an IDX file of labels, but an IDX file of images"]),
        (TEST_IMAGES, idx_images(SMALL)[:-1], [TEST_IMAGES, "truncated", "7,840 bytes (10 x 28 x 28)", "7,839"]),
        (TEST_IMAGES, b"\0\0\x08\x03" + b"\xff" * 12, ["(4,294,967,295 x ", "at most 4,294,967,296"]),
        (TEST_LABELS, idx_labels(np.zeros(9)), ["10 test images", "9 test labels"]),
        (TEST_IMAGES, idx_images(digits(side=27).images[40:]), ["28 x 28", "27 x 27"]),
    ],
)
@pytest.mark.parametrize("stored", [dict, gzipped])
def test_faulty_idx(name: str, content: bytes, facts: list[str], stored: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "source", stored(digits().files() | {name: content}))
    refused(folder, str(folder), *facts)


def test_one_class(tmp_path: Path) -> None:
    labels = {TRAIN_LABELS: idx_labels(np.full(40, 7)), TEST_LABELS: idx_labels(np.full(10, 7))}
    folder = write(tmp_path / "source", digits().files() | labels)
    refused(folder, str(folder), "7", "at least two classes")


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (GZ[:-100], ["truncated", "gzip"]),
        (GZ[:-4], ["truncated", "gzip"]),
        (GZ + b"garbage", ["damaged", "gzip"]),
        (GZ + GZ, ["too long", "7,840 bytes"]),
        (GZ[:-8] + b"\0" * 8, ["damaged", "CRC check failed"]),
        (GZ[:10] + b"\x07" + GZ[11:], ["damaged", "invalid block type"]),
        (gzip.compress(b"<html>", mtime=0), ["not an IDX file of images, but a web page (HTML)"]),
    ],
)
def test_faulty_gzip(content: bytes, facts: list[str], site: Loopback, tmp_path: Path) -> None:
    files = gzipped(digits().files()) | {f"{TEST_IMAGES}.gz": content}
    for source in (str(write(tmp_path / "source", files)), site.serve("mnist", files)):
        assert refused(source, *facts).startswith(f"{source}/{TEST_IMAGES}.gz")


def test_trailing_zeros_of_a_bomb_are_not_decompressed() -> None:
    bomb = BytesIO(gzip.compress(idx_images(SMALL) + bytes(50_000_000)))
    with gzip.GzipFile(fileobj=bomb) as stream:
        with pytest.raises(UserError, match=r"bomb is too long: .* 7,840 bytes"):
            idx.read_images(stream, "bomb")  # type: ignore[arg-type]
        assert stream.tell() < 10_000


@pytest.mark.parametrize("where", ["folder", "address"])
def test_a_bomb_is_recognised_by_its_header(where: str, site: Loopback, tmp_path: Path) -> None:
    bomb = gzip.compress(struct.pack(">4I", 0x803, 2_000_000, 28, 28) + bytes(10_000_000))
    files = gzipped(digits().files()) | {f"{TEST_IMAGES}.gz": bomb}
    source = write(tmp_path / "source", files) if where == "folder" else site.serve("mnist", files)
    refused(source, f"{source}/{TEST_IMAGES}.gz", "1,568,000,000 bytes", "500 times", f"{len(bomb):,} bytes")


def test_black_images_are_not_a_bomb() -> None:
    packed = gzip.compress(struct.pack(">4I", 0x803, 10_000, 28, 28) + bytes(10_000 * 784), mtime=0)
    with gzip.GzipFile(fileobj=BytesIO(packed)) as stream:
        assert idx.read_images(stream, "black", len(packed)).shape == (10_000, 28, 28)  # type: ignore[arg-type]


@pytest.mark.parametrize("stored", [dict, gzipped])
def test_a_header_that_declares_too_much_costs_no_memory(stored: Any, tmp_path: Path) -> None:
    images = bytearray(idx_images(digits(rows=3000).images))
    images[4:8] = (1_000_000).to_bytes(4, "big")
    folder = write(tmp_path / "source", stored(digits().files() | {TRAIN_IMAGES: bytes(images)}))
    tracemalloc.start()
    try:
        refused(folder, "truncated", "784,000,000 bytes", "2,352,000")
        assert tracemalloc.get_traced_memory()[1] < 100e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("stored", [dict, gzipped])
def test_a_file_truncated_at_any_byte(stored: Any, tmp_path: Path) -> None:
    files = stored(digits(rows=12, side=4, train_rows=9).files())
    folder = write(tmp_path / "source", files)
    for name, content in files.items():
        for length in range(len(content)):
            (folder / name).write_bytes(content[:length])
            assert refused(folder).startswith(f"{folder}/{name} "), length
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("framing", ["length", "chunks", "end"])
@pytest.mark.parametrize("stored", [dict, gzipped])
def test_a_download_truncated_at_any_byte(stored: Any, framing: str, site: Loopback) -> None:
    files = stored(digits(rows=12, side=4, train_rows=9).files())
    address = site.serve("mnist", files)
    name, content = list(files.items())[2]
    for length in range(0, len(content), 3):
        site.answers[f"/mnist/{name}"] = Answer(content, framing=framing, cut=length, reset=length % 2 == 0)
        refused(address, f"{address}/{name}")
    # Only the first attempt is truncated; what it wrote must not stay in front.
    truncated = Answer(content, framing="length", cut=len(content) - 1)
    site.answers[f"/mnist/{name}"] = [truncated, Answer(content, framing=framing)]
    fetch(address)
    assert np.load("data/raw/images.npy").shape == (12, 4, 4)


def test_missing_file(tmp_path: Path, site: Loopback) -> None:
    files = digits().files()
    del files[TEST_LABELS]
    folder, address = write(tmp_path / "source", files), site.serve("mnist", files)
    names = [f"{TEST_LABELS}.gz", TEST_LABELS, "t10k-labels.idx1-ubyte.gz", "t10k-labels.idx1-ubyte"]
    refused(folder, str(folder), *names, "fetch.source")
    refused(address, *(f"{address}/{name}" for name in names), "404", "fetch.source")
    assert site.requests[-4:] == [f"/mnist/{name}" for name in names], "each once: 404 is permanent"


@pytest.mark.parametrize("source", ["nowhere", "params.yaml", "~nobody-of-this-name/mnist", "n" * 5000])
def test_missing_folder(source: str) -> None:
    refused(source, f"fetch.source '{source}'")


# Checksums


def sums(data: Digits) -> dict[str, str]:
    """Return the checksums of a data set as params.yaml has them."""
    return {
        "images": hashlib.sha256(data.images.tobytes()).hexdigest(),
        "labels": hashlib.sha256(data.labels.tobytes()).hexdigest(),
    }


@pytest.mark.parametrize("keys", [["images", "labels"], ["images"], ["labels"], []])
def test_correct_checksums(keys: list[str], tmp_path: Path) -> None:
    data = digits()
    fetch(write(tmp_path / "source", data.files()), sha256={key: sums(data)[key] for key in keys})
    assert written()


@pytest.mark.parametrize("key", ["images", "labels"])
def test_wrong_checksum(key: str, tmp_path: Path) -> None:
    data = digits()
    folder = write(tmp_path / "source", data.files())
    expected = sums(data) | {key: "0" * 64}
    refused(folder, str(folder), f"fetch.sha256.{key}", sums(data)[key], "0" * 64, sha256=expected)


# Faults of servers


def unused_address() -> str:
    """Return an address on loopback where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/mnist", "file:///tmp", "http://", "http://[::1", "http://a:b/"])
def test_invalid_address(address: str) -> None:
    refused(address, f"fetch.source '{address}'", "http://", "https://")
    refused("openml", f"fetch.openml.server '{address}'", openml={"data_id": 61, "server": address})


def test_refused_connection(waits: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    address = unused_address()
    refused(f"{address}/mnist", f"{address}/mnist/{TRAIN_IMAGES}.gz", "Connection refused")
    assert waits == [1, 2, 4, 8]
    assert len(capsys.readouterr().out.splitlines()) == 4
    refused("openml", f"data set 61, of {address}", "Connection refused", openml={"data_id": 61, "server": address})


@pytest.mark.parametrize(
    "host",
    [
        ".".join(["a" * 60] * 5 + ["invalid"]),  # too long to be looked up anywhere
        *("a..b", "a" * 64 + ".invalid", ".invalid", "a b.invalid", "\0.invalid", "\u2603.invalid"),
    ],
)
def test_impossible_host(host: str) -> None:
    refused(f"http://{host}/mnist", "cannot fetch http://", "fetch.source")


@pytest.mark.parametrize(
    ("answer", "facts"),
    [
        (Answer(status=403), ["403 Forbidden", "fetch.source"]),
        (Answer(status=410), ["410 Gone", "fetch.source"]),
        (Answer(status=302, headers={"Location": "ftp://127.0.0.1/"}), ["ftp://127.0.0.1/", "fetch.source"]),
        (Answer(b"\n<!DOCTYPE html><p>Log in"), ["web page", "browser"]),
        (Answer(b"Log in", headers={"Content-Type": "text/html; charset=utf-8"}), ["web page", "browser"]),
        (Answer(b"\0" * 50_000), ["40,000 bytes"]),
    ],
)
def test_permanent_fault(
    answer: Answer, facts: list[str], site: Loopback, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 40_000)
    address = site.serve("mnist", gzipped(digits().files()))
    site.answers[f"/mnist/{TEST_IMAGES}.gz"] = answer
    refused(address, f"{address}/{TEST_IMAGES}.gz", *facts)
    assert waits == []


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        (Answer(status=429), "429 Too Many Requests"),
        (Answer(status=500), "500 Internal Server Error"),
        (Answer(status=503), "503 Service Unavailable"),
        (Answer(GZ, headers={"Content-Length": "9999"}), f"{len(GZ)} bytes read"),
        (Answer(GZ, cut=4000), "4000 bytes read"),
        (Answer(GZ, cut=4000, reset=True), "Connection reset by peer"),
    ],
)
def test_transient_fault(
    answer: Answer, fact: str, site: Loopback, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    address = site.serve("mnist", gzipped(digits().files()))
    path = f"/mnist/{TEST_IMAGES}.gz"
    site.answers[path] = [answer, answer, answer_of(site, path)]
    fetch(address)
    lines = [line for line in capsys.readouterr().out.splitlines() if "trying again" in line]
    assert waits == [1, 2]
    assert len(lines) == 2 and all(site.address + path in line and fact in line for line in lines)

    site.answers[path] = answer
    with pytest.raises(UserError, match=fact):
        fetch(address)
    assert waits[2:] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", [7] * 4),
        ("3600", [60] * 4),
        ("Fri, 31 Dec 2100 23:59:59 GMT", [60] * 4),
        ("0", [1, 2, 4, 8]),
        ("?", [1, 2, 4, 8]),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after(
    status: int,
    value: str,
    seconds: list[float],
    site: Loopback,
    waits: list[float],
    capsys: pytest.CaptureFixture[str],
) -> None:
    site.otherwise = Answer(status=status, headers={"Retry-After": value})
    refused(site.address, str(status))
    assert waits == seconds
    for line, wait in zip(capsys.readouterr().out.splitlines(), seconds, strict=True):
        assert f"{status} " in line and f"{wait} s" in line


@pytest.mark.parametrize("where", ["source", "openml"])
@pytest.mark.parametrize(
    ("answer", "setting", "fact"),
    [
        (Answer(b"x" * 100, silent=True), "TIMEOUT", "0.2 s"),
        (Answer(b"x" * 100, seconds_per_byte=0.05), "DEADLINE", "0.2 s"),
    ],
    ids=["silent", "slow"],
)
def test_a_silent_or_slow_server(
    where: str, answer: Answer, setting: str, fact: str, site: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, setting, 0.2)
    handler = signal.getsignal(signal.SIGALRM)
    site.otherwise = answer
    source = site.address if where == "source" else "openml"
    refused(source, site.address, fact, "try again later", openml={"data_id": 61, "server": site.address})
    assert (signal.getitimer(signal.ITIMER_REAL), signal.getsignal(signal.SIGALRM)) == ((0, 0), handler)
    assert socket.getdefaulttimeout() is None


# Faults of OpenML's data sets


@pytest.mark.parametrize(
    ("dataset", "facts"),
    [
        ({"name": "digitz", "version": 1}, ["digitz, version 1", "not found"]),
        ({"data_id": 7}, ["data set 7", "not found"]),
    ],
)
def test_openml_does_not_have_it(dataset: dict[str, Any], facts: list[str], site: Loopback) -> None:
    site.otherwise = unknown_data()
    refused("openml", site.address, "fetch.openml", *facts, openml={**dataset, "server": site.address})


@pytest.mark.parametrize(
    ("path", "answer", "fact"),
    [
        (DESCRIPTION, Answer(b"<html>"), "a web page"),
        (DESCRIPTION, Answer(b"not JSON"), "JSONDecodeError"),
        (DESCRIPTION, Answer(b"{}"), "data_set_description"),
        (DESCRIPTION, Answer(b"gone", 410), "410"),
        (ARFF, Answer(b"@DATA"), "md5"),
        (ARFF, Answer(b"@DATA", headers={"Content-Encoding": "gzip"}), "Not a gzipped file (b'@D'); check fetch"),
        (ARFF, Answer(b"gone", 412), "HTTP Error 412: Precondition Failed; check fetch"),
        (ARFF, Answer(b"x", headers={"Content-Length": "9"}), "1 bytes read"),
        (ARFF, Answer(b"x", headers={"Content-Length": "9"}, reset=True), ""),
        (ARFF, Answer(status=302, headers={"Location": "file:///etc/hostname"}), "file:///etc/hostname"),
        (ARFF, Answer(status=302, headers={"Location": "ftp://127.0.0.1/x"}), "ftp://127.0.0.1/x"),
    ],
)
def test_faulty_answer_of_openml(path: str, answer: Answer, fact: str, site: Loopback) -> None:
    settings = serve_openml(site)
    site.answers[path] = answer
    refused_openml(settings, site.address, fact)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x"])
def test_openml_names_an_address_that_is_not_http(url: str, site: Loopback) -> None:
    settings = serve_openml(site)
    site.answers[DESCRIPTION] = changed(answer_of(site, DESCRIPTION), url=url)
    refused_openml(settings, site.address, url)


def test_openml_data_that_are_not_arff(site: Loopback) -> None:
    settings = serve_openml(site)
    content = b"a,b\n1,2\n"
    md5 = hashlib.md5(content).hexdigest()
    site.answers[DESCRIPTION] = changed(answer_of(site, DESCRIPTION), md5_checksum=md5)
    site.answers[ARFF] = Answer(content)
    refused_openml(settings, "digits, version 1", site.address, "fetch.openml")


@pytest.mark.parametrize(
    ("pixels", "labels", "settings", "facts"),
    [
        (np.zeros((4, 10), int), "0101", {}, ["4 rows", "10 pixel columns"]),
        (
            np.full((4, 9), 256),
            "0101",
            {},
            ["image 1, row 1, column 1 is 256", "fetch.max_value"],
        ),
        (np.full((4, 9), -1), "0101", {}, ["column 1 is -1", "numbers from 0"]),
        (np.full((4, 9), 0.5), "0101", {}, ["the largest grey value is 0.5", "set fetch.max_value: 1"]),
        (np.array([[0, 0, 0, 0], [0, 0, 0, None]]), "01", {}, ["image 2, row 2, column 2 is nan"]),
        (np.zeros((4, 9), int), "0101", {}, ["the largest grey value is 0", "every image is empty"]),
        (np.zeros((4, 9), int), "1111", {}, ["1", "at least two classes"]),
        (np.zeros((4, 9), int), "0101", {"train_rows": 4}, ["fetch.openml.train_rows is 4", "4 rows"]),
    ],
)
def test_openml_data_that_are_not_images(
    pixels: Any, labels: str, settings: dict[str, Any], facts: list[str], site: Loopback
) -> None:
    site.answers |= openml(pixels, list(labels))
    dataset = {"name": "digits", "version": 1, "server": site.address, **settings}
    refused("openml", "digits, version 1", *facts, openml=dataset)


def test_openml_labels_that_are_missing(site: Loopback) -> None:
    site.answers |= openml(np.zeros((4, 9), int), ["0", "1", "?", "1"], numeric_labels=True)
    refused("openml", "data set 554", "1 rows have no label", openml={"data_id": 554, "server": site.address})


def test_openml_columns_that_are_nominal_or_no_target(site: Loopback) -> None:
    settings = serve_openml(site)
    answer = answer_of(site, FEATURES)
    content = json.loads(answer.body)
    for feature in content["data_features"]["feature"]:
        feature["is_target"] = "false"
    answer.body = json.dumps(content).encode()
    refused_openml(settings, "column 'class' is nominal")
    content["data_features"]["feature"][-1]["is_ignore"] = "true"
    answer.body = json.dumps(content).encode()
    refused_openml(settings, "0 target columns")


# The stage as a program


def started(folder: Path, source: str, temporary: Path | None = None, **settings: Any) -> subprocess.Popen[str]:
    """Start the stage in a folder of its own, with a temporary folder of its own or another one."""
    (folder / "temporary").mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(json.dumps({"fetch": {"source": source, **settings}}))
    return subprocess.Popen(
        [sys.executable, "-m", "stages.fetch"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary or folder / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_as_a_process(tmp_path: Path) -> None:
    write(tmp_path / "source", digits().files())
    process = started(tmp_path, "source")
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert output.startswith("fetched 50 images of 28 x 28 pixels in 10 classes from source, ")
    before = written()

    (tmp_path / "source" / TRAIN_LABELS).write_bytes(b"nonsense")
    process = started(tmp_path, "source")
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith(f"fetch: source/{TRAIN_LABELS} ")
    assert len(errors.splitlines()) == 1
    assert written() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_slow_download(number: signal.Signals, tmp_path: Path) -> None:
    with Loopback(Answer(b"x" * 10_000, seconds_per_byte=0.2)) as site:
        process = started(tmp_path, site.address)
        until = time.monotonic() + 30
        while not site.requests and time.monotonic() < until:
            site.stopped.wait(0.02)
        process.send_signal(number)
        process.communicate(timeout=5)
    assert process.returncode == -number
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "data").exists()


# The disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """A separate file system: `small_disk("size=200k")` mounts it, another call changes its options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        if folder.is_mount():
            options += ",remount"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"not allowed to mount file systems: {done.stderr.strip()}")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", folder], check=True)


# Of the new files images.npy takes 10 pages of 4 kB, the others one each.
@pytest.mark.parametrize(("free", "enough"), [(0, False), (20, False), (40, False), (44, False), (48, True)])
def test_a_full_disk_keeps_the_older_data(
    free: int, enough: bool, small_disk: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "source", digits().files())
    older = write(tmp_path / "older", digits(rows=4, side=4, classes=2, train_rows=2).files())
    monkeypatch.chdir(small_disk("size=200k"))
    fetch(older)
    before = written()
    small_disk(f"size={20 + free}k")  # four files and params.yaml
    if enough:
        fetch(source)
        assert np.load("data/raw/images.npy").shape == (50, 28, 28)
    else:
        with pytest.raises(UserError, match=r"data/raw/.*: (No space left on device|Not enough free)"):
            fetch(source)
        assert written() == before


def test_a_read_only_disk(small_disk: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = write(tmp_path / "older", digits(rows=4, side=4, classes=2, train_rows=2).files())
    source = write(tmp_path / "source", digits().files())
    monkeypatch.chdir(small_disk("size=200k"))
    fetch(older)
    before = written()
    Path("params.yaml").write_text(json.dumps({"fetch": {"source": str(source)}}))
    small_disk("ro")
    with pytest.raises(UserError, match=r"data/.raw.lock: Read-only file system$"):
        main()
    assert written() == before


@pytest.mark.parametrize("source", ["address", "openml"])
def test_a_temporary_folder_that_is_full(
    source: str, small_disk: Callable[..., Path], site: Loopback, tmp_path: Path
) -> None:
    files = gzipped(digits().files())
    settings = serve_openml(site) if source == "openml" else {"source": site.serve("mnist", files)}
    disk = small_disk("size=20k")
    (disk / "full").write_bytes(bytes(16_384))
    _, errors = started(tmp_path, temporary=disk, **settings).communicate()
    (line,) = errors.splitlines()
    assert "No space left on device" in line and "TMPDIR" in line
    assert [path.name for path in disk.iterdir()] == ["full"]


def test_a_folder_below_a_file(tmp_path: Path) -> None:
    write(tmp_path / "source", digits().files())
    Path("data").write_text("not a folder")
    with pytest.raises(UserError, match=r"data/.raw.lock: (Not a directory|File exists)$"):
        fetch("source")
    assert Path("data").read_text() == "not a folder"


def test_a_limit_of_the_file_size_at_any_byte(tmp_path: Path) -> None:
    write(tmp_path / "source", digits(rows=20, side=8, train_rows=10).files())
    Path("params.yaml").write_text('{"fetch": {"source": "source"}}')
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in range(0, 128 + 20 * 64, 19):
        # Like a quota, which NumPy does not notice near the end of a file.
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            with pytest.raises(UserError, match=r"data/raw/.*: File too large"):
                main()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert not written(), limit


# Several processes


def test_a_fetch_waits_while_another_writes(tmp_path: Path) -> None:
    write(tmp_path / "source", digits().files())
    older = {"images.npy": b"older", "labels.npy": b"data"}
    write(tmp_path / "data" / "raw", older)
    with locked(Path("data/raw")):
        process = started(tmp_path, "source")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=3)
        assert written() == older
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.startswith("fetched 50 images")
    assert set(written()) == {"images.npy", "labels.npy", "division.json", "preparation.json"}, (
        "the lock file is not an output"
    )


def test_several_fetches_at_once_leave_one_data_set(site: Loopback, tmp_path: Path) -> None:
    sets = {rows: digits(rows=rows, side=8, train_rows=10, seed=rows) for rows in (20, 30, 40)}
    processes = []
    for rows, data in sets.items():
        processes.append(started(tmp_path, site.serve(str(rows), data.files())))
        # Once it requests files, it has read params.yaml.
        while not any(path.startswith(f"/{rows}/") for path in site.requests) and processes[-1].poll() is None:
            site.stopped.wait(0.01)
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    data = sets[json.loads(Path("data/raw/division.json").read_text())["rows"]]
    np.testing.assert_array_equal(np.load("data/raw/images.npy"), data.images)
    np.testing.assert_array_equal(np.load("data/raw/labels.npy"), data.labels)
    assert len(written()) == 4


# The bundled data


def test_bundled_files_are_as_published() -> None:
    for name, md5 in PUBLISHED_MD5.items():
        assert hashlib.md5(gzip.decompress((MNIST / f"{name}.gz").read_bytes())).hexdigest() == md5
    raw = idx_files.from_folder(MNIST)
    assert raw.images.shape == (70_000, 28, 28) and raw.images.dtype == np.uint8
    assert raw.labels.shape == (70_000,) and raw.labels.dtype == np.uint8
    assert raw.train_rows == 60_000

    readme = (MNIST / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(raw.images.tobytes()).hexdigest() in readme
    assert hashlib.sha256(raw.labels.tobytes()).hexdigest() in readme
    for name, md5 in PUBLISHED_MD5.items():
        content = (MNIST / f"{name}.gz").read_bytes()
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}.gz`"))
        assert f"{len(content):,}" in row and hashlib.sha256(content).hexdigest() in row and md5 in row
