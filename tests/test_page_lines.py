"""Lines of paper and frames are removed from pictures; a digit stays."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.like_mnist import prepare
from inference.page_lines import without_lines
from stages.shared.errors import UserError
from stages.shared.files.picture_files import read_picture
from tests.fixtures.small_project import ROOT
from tests.test_predict import drawn

Grey = NDArray[np.float32]

MARKER = read_picture(ROOT / "data" / "examples" / "marker.png").grey
CLEAN = prepare(MARKER, 28, "marker").image


def similarity(grey: NDArray[np.floating[Any]], clean: Grey = CLEAN) -> float:
    """Return the correlation of a prepared picture with a clean one, to within one pixel of its place."""
    prepared = prepare(np.asarray(grey, np.float32), 28, "a digit")
    assert prepared.lines
    moved = [np.roll(prepared.image, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return max(float(np.corrcoef(image.ravel(), clean.ravel())[0, 1]) for image in moved)


def ruled(grey: Grey, tone: float, spacing: float, width: int, *angles: float) -> Grey:
    """Draw lines in directions given in degrees, below the ink."""
    height, length = grey.shape
    page = grey.copy()
    for angle in np.deg2rad(angles):
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        for k in range(-60, 60):
            middle = np.array([length / 2, height / 2]) + (k + 0.3) * spacing * across
            ends = [np.rint((middle + reach * along) * 16).astype(int).tolist() for reach in (-2000, 2000)]
            lines = np.ones_like(grey)
            cv2.line(lines, ends[0], ends[1], tone, width, cv2.LINE_AA, 4)
            page = np.minimum(page, lines)
    return page


PAPERS: dict[str, Callable[[Grey], NDArray[np.floating[Any]]]] = {
    "squared": lambda grey: ruled(grey, 0.75, 42, 2, 0, 90),
    "squared, small": lambda grey: ruled(grey, 0.75, 14, 1, 0, 90),
    "squared, as dark as pencil": lambda grey: ruled(1 - (1 - grey) * 0.6, 0.5, 42, 2, 0, 90),
    "squared, rotated": lambda grey: ruled(grey, 0.6, 50, 2, 3, 93),
    "squared, turned by half a right angle": lambda grey: ruled(grey, 0.6, 50, 2, 45, 135),
    "isometric": lambda grey: ruled(grey, 0.7, 45, 2, 30, 90, 150),
    "ruled": lambda grey: ruled(grey, 0.6, 90, 2, 0),
    "ruled with margin": lambda grey: np.minimum(ruled(grey, 0.6, 90, 2, 0), ruled(grey, 0.5, 3000, 3, 90)),
    "blackboard": lambda grey: 1 - ruled(grey, 0.6, 42, 2, 0, 90),
    "in a shadow": lambda grey: ruled(grey, 0.7, 42, 2, 0, 90) * np.linspace(0.4, 1, grey.shape[1]),
    "noisy": lambda grey: ruled(grey, 0.6, 42, 2, 0, 90) + np.random.default_rng(1).normal(0, 0.02, grey.shape),
}


@pytest.mark.parametrize("paper", PAPERS)
def test_lines_of_paper_are_removed(paper: str) -> None:
    assert similarity(np.clip(PAPERS[paper](MARKER), 0, 1)) > 0.93


def test_lines_over_the_ink_are_removed() -> None:
    page = MARKER.copy()
    page[10::42] = page[11::42] = page[:, 10::42] = page[:, 11::42] = 0.7
    assert similarity(page) > 0.93


def framed(grey: Grey, tone: float, width: int, sides: str = "tblr", inset: int = 0) -> Grey:
    """Draw a frame at a distance from the border."""
    page = grey.copy()
    inside = page[inset : len(page) - inset, inset : len(page[0]) - inset]
    for side in sides:
        part = {"t": inside[:width], "b": inside[-width:], "l": inside[:, :width], "r": inside[:, -width:]}[side]
        part[:] = tone
    return page


FRAMES: dict[str, Callable[[Grey], NDArray[np.floating[Any]]]] = {
    "black": lambda grey: framed(grey, 0, 10),
    "grey": lambda grey: framed(grey, 0.6, 6),
    "one pixel wide": lambda grey: framed(grey, 0.3, 1),
    "wide": lambda grey: framed(grey, 0.2, 30),
    "on two sides": lambda grey: framed(grey, 0, 10, "tl"),
    "on one side": lambda grey: framed(grey, 0, 12, "r"),
    "double": lambda grey: framed(framed(grey, 0.1, 4), 0.1, 4, inset=14),
    "box": lambda grey: framed(grey, 0.2, 5, inset=25),
    "light on dark": lambda grey: 1 - framed(grey, 0.1, 10),
    "white around a grey cell": lambda grey: framed(grey * 0.7, 1, 8),
}


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_are_removed(frame: str) -> None:
    assert similarity(FRAMES[frame](MARKER)) > 0.95


@pytest.mark.parametrize("frame", FRAMES)
def test_an_empty_cell_is_blank(frame: str) -> None:
    with pytest.raises(UserError, match="blank besides lines or a frame"):
        prepare(np.asarray(FRAMES[frame](np.full((300, 260), 0.95, np.float32)), np.float32), 28, "a cell")


def test_empty_squared_paper_is_blank() -> None:
    with pytest.raises(UserError, match="blank besides lines or a frame"):
        prepare(ruled(np.full((300, 260), 0.95, np.float32), 0.6, 30, 2, 0, 90), 28, "a page")


@pytest.mark.parametrize("text", ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "11"])
@pytest.mark.parametrize("margin", [0, 2, 40])
def test_straight_strokes_of_a_digit_stay(text: str, margin: int) -> None:
    ink = drawn(text, size=200, shape=(400, 400))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    page = 1 - np.pad(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], margin)
    assert without_lines(page) is page


def test_a_digit_that_fills_the_picture_in_a_shadow_is_whole() -> None:
    for text in "8360":
        ink = drawn(text, size=330, pen=14, shape=(330, 300))
        clean = prepare(1 - ink, 28, "a digit").image
        for light in (np.linspace(0.4, 1, 300), np.where(np.arange(300) < 120, 0.55, 1)):
            image = prepare(np.asarray((1 - 0.8 * ink) * light, np.float32), 28, "a digit").image
            # Ink in the shadow is fainter, which moves the centre.
            moved = [np.roll(image, (down, right), (0, 1)) > 0.2 for down in (-1, 0, 1) for right in (-1, 0, 1)]
            overlap = max((one & (clean > 0.2)).sum() / (one | (clean > 0.2)).sum() for one in moved)
            assert overlap > 0.85, text


def test_a_small_cell_with_a_frame() -> None:
    small = np.asarray(Image.fromarray(np.rint(MARKER * 255).astype(np.uint8)).resize((60, 60)), np.float32) / 255
    clean = prepare(small, 28, "a digit").image
    assert similarity(framed(small, 0, 2), clean) > 0.9
