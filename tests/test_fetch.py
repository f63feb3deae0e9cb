"""Stage fetch: the same bytes from every source, and a plain sentence for every fault."""

import errno
import gzip
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openml_server import changed, columns_of, openml, unknown_data

from reliability.idx_files import NAMES, Digits, digits, dotted, gzipped, idx_images, idx_labels, write
from reliability.loopback import Answer, Loopback
from stages.console import UserError
from stages.fetch import download, idx, network, sources
from stages.fetch.__main__ import main
from stages.fetch.openml import as_images, as_labels

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
    monkeypatch.setattr("stages.console.SECONDS_BETWEEN_LINES", 0.0)
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


def test_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    # Asking a name server would leave loopback.
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    refused(
        "cannot fetch http://mnist.invalid/.*: no such host is known; check the spelling",
        "http://mnist.invalid",
    )


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


@pytest.mark.parametrize("where", ["source", "openml"])
def test_silent_server(where: str, site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SECONDS_OF_SILENCE", 0.1)
    site.otherwise = Answer(b"x" * 100, silent=True)
    match = "cannot fetch .*: the server kept silent for 0.1 seconds; try again later"
    if where == "source":
        refused(match, site.address)
    else:
        refused(match, "openml", openml={"data_id": 61, "server": site.address})


def test_temporary_folder_that_cannot_be_written(site: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    address = site.serve("mnist", gzipped(digits().files()))
    monkeypatch.setattr(download, "_save", full)
    refused("cannot write .*: No space left on device", address)


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
