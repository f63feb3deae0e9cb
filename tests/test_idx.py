"""The IDX format, and the checks of data sets from any source."""

import gzip
import hashlib
import lzma
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from io import BytesIO
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from stages.fetch import idx
from stages.fetch.checks import Part, check_classes, check_sums, join
from stages.shared.errors import UserError

IMAGES, LABELS = 0x803, 0x801


def file(magic: int, *lengths: int, values: bytes = b"") -> BytesIO:
    """Return an IDX file with this header."""
    return BytesIO(struct.pack(f">{1 + len(lengths)}I", magic, *lengths) + values)


def refused(function: Callable[..., Any], *arguments: Any) -> str:
    """Return the message of the error that a function raises, which must begin with the name "x"."""
    with pytest.raises(UserError, match=r"^x\b") as caught:
        function(*arguments)
    return str(caught.value)


def part(images: int, labels: int) -> Part:
    return Part(np.zeros((images, 2, 2), np.uint8), np.zeros(labels, np.uint8))


@pytest.mark.parametrize(
    ("read", "content", "facts"),
    [
        (idx.read_images, file(IMAGES, 1, 0, 0), ["0 x 0", "not be empty"]),
        (idx.read_images, BytesIO(), ["is empty", "images"]),
        (idx.read_labels, BytesIO(), ["is empty", "labels"]),
        (idx.read_images, file(LABELS, 1), ["not an IDX file of images, but an IDX file of labels", "check the names"]),
        (idx.read_labels, file(IMAGES, 1), ["not an IDX file of labels, but an IDX file of images"]),
        (idx.read_images, file(0xD03, 1), ["an IDX file of floats with 3 axes", "images have bytes"]),
        (idx.read_labels, file(0x802, 1), ["an IDX file of bytes with 2 axes", "labels 1 axis"]),
        (idx.read_labels, BytesIO(b"\0\0"), ["only zero bytes"]),
        (idx.read_labels, BytesIO(b"\x05\xff\xfe\xfa"), ["another kind of file", "the first bytes are 05 ff fe fa"]),
        (idx.read_labels, file(LABELS), ["truncated", "4 bytes", "labels has 8"]),
        (idx.read_images, file(IMAGES, 1, 2), ["truncated", "12 bytes", "images has 16"]),
        (idx.read_labels, file(LABELS, 0), ["0 labels"]),
        (idx.read_images, file(IMAGES, 0, 2, 2), ["0 images"]),
        (idx.read_labels, file(LABELS, 1000, values=b"ab"), ["truncated", "declares 1,000 bytes, found 2"]),
        (idx.read_images, file(IMAGES, 1, 2, 2, values=b"abcde"), ["too long", "declares 4 bytes (1 x 2 x 2),"]),
    ],
)
def test_faulty_file(read: Any, content: BytesIO, facts: list[str]) -> None:
    content.seek(0)
    message = refused(read, content, "x")
    assert [fact for fact in facts if fact not in message] == [], message


def saved(save: Callable[[BytesIO], Any]) -> bytes:
    """Return what a function writes to a file."""
    stream = BytesIO()
    save(stream)
    return stream.getvalue()


def archive(stream: BytesIO, mode: Literal["w", "w:gz", "w:bz2"]) -> None:
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("train-images-idx3-ubyte"))


def zipped(stream: BytesIO) -> None:
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("train-images-idx3-ubyte", b"")


ARRAY = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9912422\n"
TEXT = b"\xef\xbb\xbf\nlabel,pixel1,pixel2,pixel3\n7,0,0,255\n"


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (b"\n<!DOCTYPE html><title>Log in</title>", ["a web page (HTML)", "in a browser"]),
        (b"<HTML lang=en>", ["a web page (HTML)"]),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", ["an XML document"]),
        (LFS, ["a Git LFS pointer", "git lfs pull"]),
        (b"/annex/objects/SHA256E-s9912422--1.gz\n", ["a git-annex pointer", "git annex get"]),
        (saved(zipped), ["a ZIP archive", "unpack it"]),
        (saved(lambda file: archive(file, "w")), ["a tar archive", "unpack it"]),
        (saved(lambda file: archive(file, "w:bz2")), ["compressed by bzip2", "unpack it"]),
        (lzma.compress(b"x"), ["compressed by xz"]),
        (gzip.compress(b"x", mtime=0), ["a gzip file within a gzip file", "decompress it once"]),
        (saved(lambda file: np.save(file, ARRAY)), ["a NumPy array (.npy)", "docs/make-it-yours.md"]),
        (saved(lambda file: np.savez(file, x=ARRAY)), ["a NumPy archive (.npz)", "docs/make-it-yours.md"]),
        (saved(lambda file: np.savez_compressed(file, x_train=ARRAY)), ["a NumPy archive (.npz)"]),
        (saved(lambda file: savemat(file, {"x": ARRAY})), ["a MATLAB file (.mat)", "docs/make-it-yours.md"]),
        (b"\x89HDF\r\n\x1a\n", ["an HDF5 file"]),
        *((pickle.dumps({"data": ARRAY}, version), ["a Python pickle"]) for version in (2, 3, 4, 5)),
        (saved(lambda file: Image.fromarray(ARRAY[0]).save(file, "PNG")), ["a PNG picture"]),
        (saved(lambda file: Image.fromarray(ARRAY[0]).save(file, "TIFF")), ["a TIFF picture"]),
        (TEXT, ["a table (CSV)", "docs/make-it-yours.md"]),
        (b"0\t0\t255\t7\n", ["a table (CSV)"]),
        (b"404: Not Found", ["text that begins with '404: Not Found'"]),
        ("r\u00e9sum\u00e9".encode(), ["text that begins with 'r\u00e9sum\u00e9'"]),
        (bytes(1000), ["only zero bytes", "fetch the file again"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
@pytest.mark.parametrize("read", [idx.read_images, idx.read_labels])
def test_a_file_of_another_kind(read: Any, content: bytes, facts: list[str]) -> None:
    message = refused(read, BytesIO(content), "x")
    assert [fact for fact in (*facts, "not an IDX file of") if fact not in message] == [], message
    assert "\n" not in message


def test_largest_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "LARGEST", 1_000)
    assert len(idx.read_labels(file(LABELS, 1_000, values=bytes(1_000)), "x")) == 1_000
    message = refused(idx.read_labels, file(LABELS, 1_001, values=bytes(1_001)), "x")
    assert "1,001 bytes" in message and "at most 1,000" in message


def test_largest_content_of_a_compressed_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "MOST_UNCOMPRESSED", 1_500)
    for compressed, most in ((1, 1_500), (3, 1_500), (4, 2_000)):
        assert len(idx.read_labels(file(LABELS, most, values=bytes(most)), "x", compressed)) == most
        message = refused(idx.read_labels, file(LABELS, most + 1, values=bytes(most + 1)), "x", compressed)
        assert f"{most + 1:,} bytes" in message
    message = refused(idx.read_images, file(IMAGES, 1, 50, 50, values=bytes(2_500)), "x", 4)
    for fact in ("2,500 bytes (1 x 50 x 50)", "500 times the 4 bytes"):
        assert fact in message
    assert len(idx.read_images(file(IMAGES, 1, 50, 50, values=bytes(2_500)), "x")) == 1


def test_a_file_is_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size)
            return super().read(size)

    sizes: list[int | None] = []
    monkeypatch.setattr(idx, "STEP", 4)
    content = bytes(range(10))
    assert idx.read_labels(Counting(file(LABELS, 10, values=content).getvalue()), "x").tobytes() == content
    assert sizes == [4, 4, 4, 4, 3, 1]  # the two parts of the header; at the end one byte more than declared


def test_at_most_one_byte_more_than_declared_is_read() -> None:
    stream = file(LABELS, 3, values=bytes(100))
    assert "too long" in refused(idx.read_labels, stream, "x")
    assert stream.tell() == 8 + 3 + 1


def test_images_are_read_in_c_order() -> None:
    images = idx.read_images(file(IMAGES, 2, 2, 2, values=bytes(range(8))), "x")
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


@pytest.mark.parametrize(
    ("train", "test", "facts"),
    [
        (part(2_000, 1), part(1, 1), ["2,000 training images", "1 training labels"]),
        (part(1, 1), part(1, 2_000), ["1 test images", "2,000 test labels"]),
        (part(1, 1), Part(np.zeros((1, 2, 3), np.uint8), np.zeros(1, np.uint8)), ["2 x 2", "2 x 3"]),
    ],
)
def test_parts_that_do_not_match(train: Part, test: Part, facts: list[str]) -> None:
    message = refused(join, train, test, "x")
    assert [fact for fact in facts if fact not in message] == [], message


def test_joined_parts() -> None:
    joined = join(part(2, 2), part(1, 1), "x")
    assert (joined.images.shape, joined.labels.shape) == ((3, 2, 2), (3,))


def test_each_wrong_checksum_is_a_line() -> None:
    arrays = {"images": np.zeros(1, np.uint8), "labels": np.zeros(1, np.uint8)}
    actual = hashlib.sha256(b"\0").hexdigest()
    lines = refused(check_sums, arrays, {"images": "abc", "labels": "abc"}, "x").splitlines()
    for key, line in zip(arrays, lines, strict=True):
        assert line.startswith("x: ")
        for fact in (actual, f"fetch.sha256.{key} ", "abc"):
            assert fact in line
    check_sums(arrays, {"images": actual, "labels": None}, "x")


def test_number_of_classes() -> None:
    assert check_classes(np.array([4, 9, 4], np.uint8), "x") == 2
    assert "every label is 4;" in refused(check_classes, np.array([4, 4], np.uint8), "x")
