"""Pictures that people take of digits: squared and ruled paper, frames, shadows; each kind is counted by itself.

The digits are test digits of MNIST and printed ones. Lines, light and ink are drawn in grey.
"""

import gzip
import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.find_model import find
from inference.like_mnist import prepare
from inference.trained_model import load
from stages.fetch.idx import read_images, read_labels
from stages.shared.errors import UserError
from stages.shared.process.console import progress

SEED = 13
MODEL = "augmented-cnn"
RIGHT = 0.95  # least share of right or noted pictures of each kind
MNIST = Path("data/mnist")
FONTS = ("DejaVu Sans", "DejaVu Sans Mono", "DejaVu Serif", "STIXGeneral")

Chance = np.random.Generator
Grey = NDArray[np.float32]


class Drawing(NamedTuple):
    """A picture of a digit, and the digit; None if there is none."""

    grey: Grey
    digit: int | None


class Sheet(NamedTuple):
    """Ink on a page, before lines and light: coverage 0-1, float32, shape (height, width)."""

    ink: Grey
    digit: int | None
    height: int  # of the digit, in pixels


class Source:
    """Enlarged digits, handwritten and printed by turns."""

    def __init__(self) -> None:
        with gzip.open(MNIST / "t10k-images-idx3-ubyte.gz") as images:
            self.images = read_images(images, "images")  # type: ignore[arg-type]
        with gzip.open(MNIST / "t10k-labels-idx1-ubyte.gz") as labels:
            self.labels = read_labels(labels, "labels")  # type: ignore[arg-type]

    def handwritten(self, chance: Chance, height: int) -> tuple[Grey, int]:
        """Return a test digit with smooth edges, cropped, and its label."""
        row = int(chance.integers(len(self.labels)))
        small = np.pad(self.images[row], 2)
        times = height / 20
        large = cv2.resize(small, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
        smooth = cv2.GaussianBlur(large.astype(np.float32) / 255, (0, 0), times / 3)
        # A steep ramp at half of the range gives the edge of a pen.
        return _cropped(np.clip((smooth - 0.5) * times / 2 + 0.5, 0, 1)), int(self.labels[row])

    def printed(self, chance: Chance, height: int) -> tuple[Grey, int]:
        """Return a printed digit, cropped, and its value."""
        digit = int(chance.integers(10))
        weight = ("normal", "bold")[chance.integers(2)]
        path = font_manager.findfont(font_manager.FontProperties(family=chance.choice(FONTS), weight=weight))
        font = ImageFont.truetype(path, 4 * height // 3)
        image = Image.new("L", (2 * height, 2 * height))
        ImageDraw.Draw(image).text((height, height), str(digit), fill=255, font=font, anchor="mm")
        return _cropped(np.asarray(image, np.float32) / 255), digit

    def sheet(self, chance: Chance, fill: tuple[float, float] = (0.4, 0.7), printed: float = 0.0) -> Sheet:
        """Place a digit near the middle of a page; `fill` is its height as a fraction of the page's, from and to."""
        height, width = (int(chance.integers(200, 520)) for _ in range(2))
        width = int(np.clip(width, 0.7 * height, 1.4 * height))
        tall = round(chance.uniform(*fill) * min(height, width))
        digit, label = (self.printed if chance.random() < printed else self.handwritten)(chance, tall)
        page = np.zeros((height, width), np.float32)
        top, left = (
            int((length - part) / 2 + chance.uniform(-0.6, 0.6) * (length - part) / 2 * (1 - fill[1]))
            for length, part in zip(page.shape, digit.shape, strict=True)
        )
        page[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
        return Sheet(page, label, digit.shape[0])


def _cropped(ink: NDArray[np.floating[Any]]) -> Grey:
    rows, columns = (np.flatnonzero((ink > 0.02).any(axis=axis)) for axis in (1, 0))
    return np.asarray(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], np.float32)


# Lines of paper: coverage 0-1


def lines(
    chance: Chance, shape: tuple[int, ...], spacing: float, width: float, angles: tuple[float, ...], tilt: float = 0.0
) -> Grey:
    """Draw parallel lines in each of some directions (degrees), all rotated by at most `tilt` degrees."""
    reach = float(np.hypot(shape[0], shape[1]))
    drawn = np.zeros(shape, np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    turned = chance.uniform(-tilt, tilt)
    for angle in angles:
        phi = np.deg2rad(angle + turned)
        across = np.asarray(x * np.sin(phi) - y * np.cos(phi) + chance.uniform(0, spacing) + 2 * reach)
        distance = np.abs((across + spacing / 2) % spacing - spacing / 2)
        drawn = np.maximum(drawn, np.clip((width + 1) / 2 - distance, 0, min(1, width)).astype(np.float32))
    return drawn


def in_perspective(chance: Chance, drawn: Grey, amount: float = 0.06) -> Grey:
    """Move the corners of drawn lines outwards by up to a fraction of the page."""
    height, width = drawn.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    outwards = (corners - corners.mean(axis=0)) * chance.uniform(0, 2 * amount, (4, 2))
    turn = cv2.getPerspectiveTransform(corners, (corners + outwards).astype(np.float32))
    return np.asarray(cv2.warpPerspective(drawn, turn, (width, height), flags=cv2.INTER_LINEAR), np.float32)


# Light and camera


def shadow(chance: Chance, shape: tuple[int, ...]) -> Grey:
    """Return light that falls unevenly: a gradient, or a shadow with a sharp or soft edge; 0.4 to 1."""
    y, x = (
        axis / length for axis, length in zip(np.mgrid[: shape[0], : shape[1]].astype(np.float32), shape, strict=True)
    )
    phi = chance.uniform(0, 2 * np.pi)
    across = (x - 0.5) * np.cos(phi) + (y - 0.5) * np.sin(phi) + chance.uniform(-0.25, 0.25)
    softness = chance.choice([0.005, 0.05, 0.2, 0.8])
    depth = chance.uniform(0.2, 0.5)
    return np.asarray(1 - depth * np.clip(across / softness + 0.5, 0, 1), np.float32)


def taken(chance: Chance, grey: NDArray[np.floating[Any]], noise: float = 0.01) -> Grey:
    """Add what cameras and files do: noise, blur, JPEG; of each at random."""
    if chance.random() < 0.5:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), chance.uniform(0.3, 1.0)), np.float32)
    if chance.random() < 0.5:
        grey = grey + chance.normal(0, chance.uniform(0, 2 * noise), grey.shape)
    pixels = np.asarray(np.rint(np.clip(grey, 0, 1) * 255), np.uint8)
    if chance.random() < 0.5:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=int(chance.integers(50, 96)))
        pixels = np.asarray(Image.open(file))
    return np.asarray(pixels / np.float32(255), np.float32)


def on_paper(chance: Chance, sheet: Sheet, drawn: Grey, line: float, pen: float, over: bool = False) -> Grey:
    """Draw lines of one grey, and ink of another, on white paper; `over`: the lines are on the ink."""
    white = chance.uniform(0.88, 1.0)
    page: NDArray[np.floating[Any]] = np.full(sheet.ink.shape, white, np.float32)
    for coverage, tone in ((sheet.ink, pen), (drawn, line)) if over else ((drawn, line), (sheet.ink, pen)):
        page = page + coverage * ((tone if over else np.minimum(tone, page)) - page)
    return np.asarray(page, np.float32)


# Kinds


def thin(sheet: Sheet) -> Sheet:
    """Make the strokes as thin as a pencil's."""
    size = max(1, round(sheet.height * 0.03)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return sheet._replace(ink=np.asarray(cv2.erode(sheet.ink, kernel), np.float32))


def marker(chance: Chance) -> float:
    return float(chance.uniform(0.05, 0.35))


def pencil(chance: Chance) -> float:
    return float(chance.uniform(0.45, 0.65))


def pale(chance: Chance) -> float:
    return float(chance.uniform(0.65, 0.85))


def dark(chance: Chance) -> float:
    return float(chance.uniform(0.3, 0.6))


def squared(
    line: Callable[[Chance], float] = pale,
    pen: Callable[[Chance], float] = marker,
    squares: tuple[float, float] = (3, 8),
    angles: tuple[float, ...] = (0, 90),
    over: bool = False,
    perspective: bool = False,
    tilt: float = 3,
    dim: bool = False,
    inverted: bool = False,
    strokes: Callable[[Sheet], Sheet] = lambda sheet: sheet,
    width: tuple[float, float] = (0.02, 0.06),
    margin: bool = False,
    every: int = 0,
) -> Callable[[Source, Chance], Drawing]:
    """A digit on paper with lines; `squares` is its height in squares, `width` that of a line in spacings."""

    def draw(source: Source, chance: Chance) -> Drawing:
        sheet = strokes(source.sheet(chance, (0.35, 0.7)))
        spacing = max(sheet.height / chance.uniform(*squares), 5)
        wide = max(spacing * chance.uniform(*width), 1)
        turned = tilt if chance.random() < 0.5 else 0
        drawn = lines(chance, sheet.ink.shape, spacing, wide, angles, turned)
        if every:
            drawn = np.maximum(0.6 * drawn, lines(chance, sheet.ink.shape, every * spacing, 1.5 * wide, angles, turned))
        if margin:
            across = lines(chance, sheet.ink.shape, 4 * max(sheet.ink.shape), 1.5 * wide, (90,), turned)
            drawn = np.maximum(drawn, across)
        if perspective:
            drawn = in_perspective(chance, drawn)
        page = on_paper(chance, sheet, drawn, line(chance), pen(chance), over)
        if dim:
            page = page * shadow(chance, page.shape)
        return Drawing(taken(chance, 1 - page if inverted else page), sheet.digit)

    return draw


def framed(
    sides: Callable[[Chance], list[int]],
    inset: bool = False,
    printed: float = 0.5,
    double: bool = False,
    empty: bool = False,
    inverted: bool = False,
    dim: bool = False,
    tilt: float = 0.0,
    width: tuple[float, float] = (0.01, 0.06),
    pen: Callable[[Chance], float] = marker,
    frame: Callable[[Chance], float] = lambda chance: float(chance.uniform(0, 0.6)),
) -> Callable[[Source, Chance], Drawing]:
    """A digit in a frame on some sides (0-3: top, right, bottom, left), at the edge of the picture or inside it."""

    def draw(source: Source, chance: Chance) -> Drawing:
        sheet = source.sheet(chance, (0.4, 0.65), printed)
        if empty:
            sheet = Sheet(np.zeros_like(sheet.ink), None, sheet.height)
        height, width_ = sheet.ink.shape
        wide = max(1, round(chance.uniform(*width) * min(height, width_)))
        drawn = np.zeros_like(sheet.ink)
        for gap in [0.0, 2.5 * wide] if double else [0.0]:
            for side in sides(chance):
                start = gap + (chance.uniform(0.02, 0.08) * min(height, width_) if inset else 0)
                turned = np.rot90(drawn, side)
                part = np.zeros_like(turned)
                reach = round(start) if inset or double else 0
                part[round(start) : round(start) + wide, reach : part.shape[1] - reach] = 1
                np.maximum(turned, part, out=turned)
        if tilt:
            turn = cv2.getRotationMatrix2D((width_ / 2, height / 2), chance.uniform(-tilt, tilt), 1)
            drawn = np.asarray(
                cv2.warpAffine(drawn, turn, (width_, height), borderMode=cv2.BORDER_REPLICATE), np.float32
            )
        page = on_paper(chance, sheet, drawn, frame(chance), pen(chance))
        if dim:
            page = page * shadow(chance, page.shape)
        return Drawing(taken(chance, 1 - page if inverted else page), sheet.digit)

    return draw


def on_all(chance: Chance) -> list[int]:
    return [0, 1, 2, 3]


def on_some(chance: Chance) -> list[int]:
    return sorted(chance.choice(4, int(chance.integers(1, 4)), replace=False).tolist())


def on_one(chance: Chance) -> list[int]:
    return [int(chance.integers(4))]


def plain(
    pen: Callable[[Chance], float] = marker,
    fill: tuple[float, float] = (0.4, 0.7),
    dim: bool = False,
    printed: float = 0.3,
    strokes: Callable[[Sheet], Sheet] = lambda sheet: sheet,
) -> Callable[[Source, Chance], Drawing]:
    """A digit on plain paper."""

    def draw(source: Source, chance: Chance) -> Drawing:
        sheet = strokes(source.sheet(chance, fill, printed))
        page = on_paper(chance, sheet, np.zeros_like(sheet.ink), 1, pen(chance))
        if dim:
            page = page * shadow(chance, page.shape)
        return Drawing(taken(chance, page), sheet.digit)

    return draw


def dotted(source: Source, chance: Chance) -> Drawing:
    sheet = source.sheet(chance)
    spacing = sheet.height / chance.uniform(3, 8)
    rows, columns = (lines(chance, sheet.ink.shape, spacing, 2.0, (angle,)) for angle in (0, 90))
    return Drawing(taken(chance, on_paper(chance, sheet, rows * columns, pale(chance), marker(chance))), sheet.digit)


def cropped(source: Source, chance: Chance) -> Drawing:
    """A digit that touches the border on all sides."""
    ink, digit = (source.printed if chance.random() < 0.5 else source.handwritten)(
        chance, int(chance.integers(100, 400))
    )
    sheet = Sheet(np.pad(ink, int(chance.integers(0, 3))), digit, len(ink))
    return Drawing(taken(chance, on_paper(chance, sheet, np.zeros_like(sheet.ink), 1, marker(chance))), digit)


KINDS: dict[str, Callable[[Source, Chance], Drawing]] = {
    "plain paper": plain(),
    "pencil": plain(pencil, strokes=thin, printed=0),
    "small digit": plain(fill=(0.2, 0.3)),
    "dotted paper": dotted,
    "cropped": cropped,
    "large digit with a shadow": plain(fill=(0.65, 0.85), dim=True),
    "squared": squared(),
    "squared, pencil": squared(pen=pencil, strokes=thin),
    "squared, darker lines": squared(line=dark),
    "squared, two squares high": squared(squares=(1.2, 2.5)),
    "squared, in perspective": squared(perspective=True, tilt=8),
    "squared, lines over the digit": squared(over=True),
    "squared, uneven light": squared(dim=True),
    "squared, light on dark": squared(inverted=True, line=lambda chance: float(chance.uniform(0.5, 0.8))),
    "millimetre": squared(squares=(15, 30), every=5, width=(0.05, 0.15)),
    "isometric": squared(angles=(30, 90, 150)),
    "ruled": squared(angles=(0,), squares=(1, 4)),
    "ruled, pencil": squared(angles=(0,), squares=(1, 4), pen=pencil, strokes=thin),
    "ruled with margin": squared(angles=(0,), squares=(1, 4), margin=True),
    "frame on all sides": framed(on_all),
    "frame on some sides": framed(on_some),
    "frame on one side": framed(on_one),
    "frame, rotated": framed(on_all, tilt=3),
    "frame, uneven light": framed(on_all, dim=True),
    "frame, light on dark": framed(on_all, inverted=True),
    "frame, pencil": framed(on_all, pen=pencil, printed=0),
    "wide frame": framed(on_all, width=(0.06, 0.12)),
    "double frame": framed(on_all, double=True, width=(0.01, 0.03)),
    "inset box": framed(on_all, inset=True),
    "inset box, rotated": framed(on_all, inset=True, tilt=3),
    "empty frame": framed(on_all, empty=True),
    "empty frame on some sides": framed(on_some, empty=True),
    "empty box": framed(on_all, inset=True, empty=True),
}


def campaign(n: int) -> dict[str, Any]:
    """Predict n pictures of each kind with the trained net `augmented-cnn`.

    Parameters
    ----------
    n : int
        Number of pictures of each kind.

    Returns
    -------
    dict
        Counts, and `went_wrong`, a list of str: kinds of which too few are right or have a note.

    Raises
    ------
    UserError
        The net is not trained.
    """
    model = load(find(MODEL, None))
    source = Source()
    counts: Counter[str] = Counter(pictures=0)
    right: dict[str, int] = {}
    wrong: list[str] = []
    with progress("pictures", n * len(KINDS), "pictures") as advance:
        for number, (kind, draw) in enumerate(KINDS.items()):
            digits, images, noted = [], [], 0
            right[kind] = 0
            for k in range(n):
                drawing = draw(source, np.random.default_rng([SEED, number, k]))
                try:
                    prepared = prepare(drawing.grey, model.side, kind)
                except UserError:
                    # Blank: right for an empty cell, and otherwise an error that the user sees.
                    right[kind] += drawing.digit is None
                    noted += drawing.digit is not None
                else:
                    digits.append(drawing.digit)
                    images.append((prepared.image, prepared.lines or prepared.shapes > 1))
                advance(1)
            if images:
                codes = model.predict(np.stack([image for image, _ in images])).codes
                for digit, code, (_, note) in zip(digits, codes.tolist(), images, strict=True):
                    right[kind] += code == digit
                    noted += code != digit and note
            counts["pictures"] += n
            if right[kind] < RIGHT * n and noted < RIGHT * (n - right[kind]):
                wrong.append(f"{kind}: {right[kind]} of {n} right, {noted} others noted")
    return {**counts, "right": right, "went_wrong": wrong}
