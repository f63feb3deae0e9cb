"""The IDX format and what holds for a data set from any source, sentence by sentence."""

import hashlib
import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
import pytest

from stages.fetch import idx
from stages.fetch.checks import Part, check_classes, check_sums, join
from stages.shared.errors import UserError

IMAGES, LABELS = 0x803, 0x801


def file(magic: int, *lengths: int, values: bytes = b"") -> BytesIO:
    """Return an IDX file with this header."""
    return BytesIO(struct.pack(f">{1 + len(lengths)}I", magic, *lengths) + values)


def refused(function: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(UserError) as caught:
        function(*arguments)
    return str(caught.value)


def part(images: int, labels: int) -> Part:
    return Part(np.zeros((images, 2, 2), np.uint8), np.zeros(labels, np.uint8))


@pytest.mark.parametrize(
    ("read", "content", "sentence"),
    [
        (idx.read_images, file(IMAGES, 1, 2, 3), "x: its images are 2 x 3 pixels; they must be square and not empty"),
        (idx.read_images, BytesIO(), "x is empty; it must be an IDX file of images"),
        (idx.read_labels, BytesIO(), "x is empty; it must be an IDX file of labels"),
        (
            idx.read_images,
            file(LABELS, 1),
            "x is no IDX file of images: it begins with the bytes 00 00 08 01, which is an IDX file of labels; "
            "they must be 00 00 08 03",
        ),
        (
            idx.read_labels,
            file(IMAGES, 1),
            "x is no IDX file of labels: it begins with the bytes 00 00 08 03, which is an IDX file of images; "
            "they must be 00 00 08 01",
        ),
        (
            idx.read_labels,
            BytesIO(b"<!DO"),
            "x is no IDX file of labels: it begins with the bytes 3c 21 44 4f; they must be 00 00 08 01",
        ),
        (
            idx.read_labels,
            file(LABELS),
            "x breaks off in its header: it has 4 bytes, and the header of labels alone takes 8",
        ),
        (
            idx.read_images,
            file(IMAGES, 1, 2),
            "x breaks off in its header: it has 12 bytes, and the header of images alone takes 16",
        ),
        (idx.read_labels, file(LABELS, 0), "x: its header promises no labels; there must be at least one"),
        (idx.read_images, file(IMAGES, 0, 2, 2), "x: its header promises no images; there must be at least one"),
        (
            idx.read_labels,
            file(LABELS, 1000, values=b"ab"),
            "x breaks off: its header promises 1,000 bytes, and 2 follow",
        ),
        (
            idx.read_images,
            file(IMAGES, 1, 2, 2, values=b"abcde"),
            "x is too long: its header promises 4 bytes (1 x 2 x 2), and more follow",
        ),
    ],
)
def test_a_fault_is_named_with_its_file(read: Any, content: BytesIO, sentence: str) -> None:
    content.seek(0)
    assert refused(read, content, "x") == sentence


def test_the_largest_file_is_read_and_a_larger_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "LARGEST", 1_000)
    assert len(idx.read_labels(file(LABELS, 1_000, values=bytes(1_000)), "x")) == 1_000
    assert refused(idx.read_labels, file(LABELS, 1_001, values=bytes(1_001)), "x") == (
        "x: its header promises 1,001 bytes; at most 1,000 can be read"
    )


def test_what_a_compressed_file_can_hold_depends_on_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "UNSUSPICIOUS", 1_500)
    for compressed, most in ((1, 1_500), (3, 1_500), (4, 2_000)):
        assert len(idx.read_labels(file(LABELS, most, values=bytes(most)), "x", compressed)) == most
        with pytest.raises(UserError, match=f"promises {most + 1:,} bytes"):
            idx.read_labels(file(LABELS, most + 1, values=bytes(most + 1)), "x", compressed)
    assert refused(idx.read_images, file(IMAGES, 1, 50, 50, values=bytes(2_500)), "x", 4) == (
        "x: its header promises 2,500 bytes (1 x 50 x 50), more than 500 times the 4 bytes it has compressed; no "
        "pictures are that empty"
    )
    assert len(idx.read_images(file(IMAGES, 1, 50, 50, values=bytes(2_500)), "x")) == 1


def test_a_file_is_read_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            asked.append(size)
            return super().read(size)

    asked: list[int | None] = []
    monkeypatch.setattr(idx, "STEP", 4)
    content = bytes(range(10))
    assert idx.read_labels(Counting(file(LABELS, 10, values=content).getvalue()), "x").tobytes() == content
    assert asked == [4, 4, 4, 4, 3, 1]  # the header's two, and then one byte more than is promised


def test_no_more_is_taken_than_tells_that_a_file_is_too_long() -> None:
    stream = file(LABELS, 3, values=bytes(100))
    assert "too long" in refused(idx.read_labels, stream, "x")
    assert stream.tell() == 8 + 3 + 1


def test_images_keep_their_pixels_in_their_places() -> None:
    images = idx.read_images(file(IMAGES, 2, 2, 2, values=bytes(range(8))), "x")
    assert images.dtype == np.uint8
    assert images.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


@pytest.mark.parametrize(
    ("train", "test", "sentence"),
    [
        (
            part(2_000, 1),
            part(1, 1),
            "x: there are 2,000 train images and 1 train labels; each image must have one label",
        ),
        (
            part(1, 1),
            part(1, 2_000),
            "x: there are 1 test images and 2,000 test labels; each image must have one label",
        ),
    ],
)
def test_each_image_has_one_label(train: Part, test: Part, sentence: str) -> None:
    assert refused(join, train, test, "x") == sentence


def test_images_of_the_two_parts_have_one_size() -> None:
    other = Part(np.zeros((1, 2, 3), np.uint8), np.zeros(1, np.uint8))
    assert refused(join, part(1, 1), other, "x") == (
        "x: the train images are 2 x 2 pixels and the test images 2 x 3; all must have one size"
    )
    joined = join(part(2, 2), part(1, 1), "x")
    assert (joined.images.shape, joined.labels.shape) == ((3, 2, 2), (3,))


def test_each_checksum_that_does_not_hold_is_a_line() -> None:
    arrays = {"images": np.zeros(1, np.uint8), "labels": np.zeros(1, np.uint8)}
    found = hashlib.sha256(b"\0").hexdigest()
    sentence = (
        f"x: the {{0}} have SHA-256 {found}, and fetch.sha256.{{0}} of params.yaml asks for abc; mend the source or, "
        "if these data are meant, write the new value or null there"
    )
    said = refused(check_sums, arrays, {"images": "abc", "labels": "abc"}, "x")
    assert said.splitlines() == [sentence.format("images"), sentence.format("labels")]
    check_sums(arrays, {"images": found, "labels": None}, "x")


def test_two_classes_are_enough() -> None:
    assert check_classes(np.array([4, 9, 4], np.uint8), "x") == 2
    assert refused(check_classes, np.array([4, 4], np.uint8), "x") == (
        "x: every label is 4; at least two classes are needed"
    )
