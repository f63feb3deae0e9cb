"""From a grey picture of a digit to what a model was trained on: bright on black, in MNIST's box, centred by mass.

MNIST's digits were scaled to fit a box of 20 x 20 pixels, keeping their proportions, and put into 28 x 28 so that
their centre of mass falls on the middle, by whole pixels. A model of another size gets the same in proportion.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stages.shared.errors import UserError

Grey = NDArray[np.float32]

BOX = 20 / 28  # of the side: what a digit fills
LARGEST = 768  # pixels of a picture's longer side; more show nothing of a digit that fills 20
SMALL = 32  # pixels; a smaller picture's light is even

# Shares of the range from black to white.
FAINTEST = 0.04  # contrast of the faintest ink: an empty page varies by less in a scan or JPEG
UNEVEN = 0.1  # of the picture's contrast: how far its border may vary before the light is taken for uneven

# Multiples of the ground's standard deviation.
ABOVE_NOISE = 4.0  # where ink begins
BLANK = 6.0  # what the strongest ink exceeds; noise alone does not

# Shares of the ink's contrast.
FAINT_EDGE = 0.05  # where an edge ends: resampling leaves ripples below
EDGE = 0.25  # where a digit begins that is fitted into the box; found with enlarged digits of MNIST
NOISY = 0.02  # noise that is worth smoothing

DUST = 0.02  # of the largest shape's ink: smaller shapes are not part of the digit
# A shape along this share of the border is a table or shadow beside the sheet, if enough ink is clear of the border.
BESIDE, BESIDE_DIGIT = 0.1, 0.02
# Of the tallest and of the largest shape: what may be a digit of its own. Of MNIST's digits 1 in 1,000 is taken for
# two, of pairs of them 1 in 180 for one.
LARGE_HEIGHT, LARGE_INK = 0.6, 0.15

# Mean widths of strokes in pixels of a 20 x 20 box: 98 % of MNIST's are above the one, half are above the other.
THIN, USUAL = 1.3, 2.5
FINE = 8  # times the model's pixels: how finely strokes are measured and thickened


class Prepared(NamedTuple):
    """What a model is fed.

    Attributes
    ----------
    image : ndarray of float32, shape (side, side)
        0-1, ink bright on black.
    shapes : int
        How many shapes as large as a digit lie clear of each other; more than 1 may be several digits.
    """

    image: Grey
    shapes: int


def prepare(grey: Grey, side: int, name: str) -> Prepared:
    """Turn a picture into an image like MNIST's.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        0 black to 1 white: dark ink on light ground or light ink on dark ground, maybe unevenly lit and noisy.
    side : int
        Height and width of the model's images in pixels, at least 8.
    name : str
        What to call the picture in an error.

    Returns
    -------
    Prepared
        Where the picture has the model's size and MNIST's box and centre already, it is only made bright on black.

    Raises
    ------
    UserError
        Nothing stands out from the ground.
    """
    found = find_ink(_shrunk(grey))
    if found is None:
        raise UserError(f"{name}: nothing is drawn in it; no ink stands out from the ground")
    ink, noise = found
    if grey.shape == (side, side) and not noise and _is_in_place(ink):
        return Prepared(ink / ink.max(), _large_shapes(ink))
    digit = _clean(ink, noise)
    return Prepared(_placed(_scaled(digit, round(side * BOX), side), side), _large_shapes(digit))


def find_ink(grey: Grey) -> tuple[Grey, float] | None:
    """Tell ink from ground; None where there is no ink.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        0-1.

    Returns
    -------
    ink : ndarray of float32, shape (height, width)
        How far each pixel differs from the ground towards the ink's side, 0-1; 0 on the other side.
    noise : float
        Standard deviation of the ground; 0 for a drawn picture.
    """
    difference = grey - _ground(grey)
    spread = 1.4826 * float(np.median(np.abs(difference)))  # the standard deviation, if most of it is ground
    outside = np.where(np.abs(difference) > 3 * spread, difference, 0)
    # Ink is what stands out from the ground. Squares, so that a few strong strokes outweigh much weak texture.
    bright = np.sum(np.maximum(outside, 0) ** 2) >= np.sum(np.minimum(outside, 0) ** 2)
    signed = difference if bright else -difference
    noise = _noise(signed)
    sigma = max(grey.shape) / 600
    if noise > NOISY * float(signed.max()) and sigma > 0.3:
        signed = np.asarray(cv2.GaussianBlur(signed, (0, 0), sigma), np.float32)
        noise = _noise(signed)
    if float(signed.max()) < max(FAINTEST, BLANK * noise):
        return None
    return np.maximum(signed, 0), noise


def _shrunk(grey: Grey) -> Grey:
    factor = LARGEST / max(grey.shape)
    if factor >= 1:
        return grey
    height, width = (max(1, round(length * factor)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _ground(grey: Grey) -> Grey | np.float32:
    """Estimate the ground's brightness: one value, or one a pixel where the light is uneven."""
    border = grey[_border(grey)]
    level = np.float32(np.median(border))
    low, high = np.percentile(border, [25, 75])
    if high - low <= UNEVEN * float(np.abs(grey - level).max()) or min(grey.shape) < SMALL:
        return level
    # A median keeps the edge of a shadow where it is. No stroke fills half of the window.
    window = min(min(grey.shape) // 3, 254) | 1  # 255 is the widest that OpenCV takes
    return np.asarray(cv2.medianBlur(np.rint(grey * 255).astype(np.uint8), window), np.float32) / np.float32(255)


def _border(grey: Grey) -> NDArray[np.bool_]:
    """Mark the pixels along the border."""
    height, width = grey.shape
    band = max(1, min(height, width) // 50)
    border = np.ones(grey.shape, bool)
    border[band : height - band, band : width - band] = False
    return border


def _noise(signed: Grey) -> float:
    """Return the ground's standard deviation, measured on the side where there is no ink."""
    behind = -signed[signed < 0]
    if not behind.size:
        return 0.0
    # A glare or a second ink is no noise.
    usual = np.minimum(behind, 3 * np.median(behind))
    return float(np.sqrt(2 * np.sum(usual**2, dtype=np.float64) / signed.size))


def _is_in_place(ink: Grey) -> bool:
    """Tell whether an image of the model's size has MNIST's box and centre."""
    side = len(ink)
    in_the_middle = all(round(side / 2 - middle) == 0 for middle in _centre(ink))
    return max(_cropped(ink).shape) == round(side * BOX) and in_the_middle


def _clean(ink: Grey, noise: float) -> Grey:
    """Bring the ink to full contrast, 0-1, and take away noise, dust and what lies beside the sheet."""
    above = ink[ink > max(ABOVE_NOISE * noise, FAINTEST / 2)]
    firm = _otsu(above)
    full = float(np.percentile(above[above >= firm], 95))
    digit = np.minimum(ink / full, 1)
    drawn = digit > max(FAINT_EDGE, ABOVE_NOISE * noise / full)
    count, labels = cv2.connectedComponents(drawn.astype(np.uint8), connectivity=8)
    amount = np.bincount(labels.ravel(), weights=digit.ravel(), minlength=count)
    # A shape is ink if it is firm somewhere; its faint edges then belong to it.
    kept = np.zeros(count, bool)
    kept[labels[drawn & (ink >= firm)]] = True
    border = _border(ink)
    along = np.bincount(labels[border], minlength=count) / border.sum()
    beside = kept & (along > BESIDE)
    inside = kept & (along == 0)
    if beside.any() and amount[inside].sum() > BESIDE_DIGIT * amount[beside].sum():
        return _clean(np.where(beside[labels], np.float32(0), ink), noise)
    kept &= amount >= DUST * amount[kept].max()
    return np.where(kept[labels], digit, np.float32(0))


def _otsu(values: Grey) -> float:
    """Divide values so that the two parts vary as little as can be in themselves (Otsu's threshold)."""
    top = float(values.max())
    levels = np.rint(values / top * 255).astype(np.uint8)
    return float(cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]) / 255 * top


def _large_shapes(digit: Grey) -> int:
    """Count shapes as large as a digit that lie clear of each other, side by side or one above the other."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((digit > 0).astype(np.uint8), connectivity=8)
    amount = np.bincount(labels.ravel(), weights=digit.ravel(), minlength=count)[1:]
    left, top, width, height = stats[1:, : cv2.CC_STAT_AREA].T
    right, bottom = left + width, top + height
    large = (height >= LARGE_HEIGHT * height.max()) & (amount >= LARGE_INK * amount.max())
    apart: list[int] = []
    for k in np.argsort(-amount, kind="stable"):
        if large[k] and all(
            right[k] <= left[other] or right[other] <= left[k] or bottom[k] <= top[other] or bottom[other] <= top[k]
            for other in apart
        ):
            apart.append(int(k))
    return len(apart)


def _scaled(digit: Grey, box: int, side: int) -> Grey:
    """Scale a digit to fit a box in the side; strokes too thin to survive that are thickened."""
    fine = _resized(digit, box * FINE, side * FINE)
    pixel = FINE * box / 20
    width = _stroke_width(fine) / pixel
    if width >= THIN:
        return _resized(digit, box, side)
    margin = round((USUAL - width) * pixel / 2)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    return _resized(np.asarray(cv2.dilate(np.pad(fine, margin), kernel), np.float32), box, side)


def _resized(digit: Grey, box: int, side: int) -> Grey:
    """Scale a digit so that its longer side fills the box; faint edges may stand out from it, within the side."""
    cropped = _cropped(digit)
    if abs(max(cropped.shape) - box) <= 1:
        return cropped  # resampling would only blur it
    middle = _extents(digit > EDGE)
    pixel = max(extent.stop - extent.start for extent in middle) / box  # of the result, in pixels of the digit
    beyond = (side - box) // 4
    height, width = (int(np.ceil((extent.stop - extent.start) / pixel - 1e-6)) + 2 * beyond for extent in middle)
    margin = int(np.ceil((beyond + 1) * pixel)) + 1
    top, left = (margin + extent.start - beyond * pixel for extent in middle)
    # Averages areas when it shrinks, so that thin strokes turn grey instead of falling between the pixels.
    how = Image.Resampling.BOX if pixel > 1 else Image.Resampling.BICUBIC
    resized = Image.fromarray(np.pad(digit, margin)).resize(
        (width, height), how, box=(left, top, left + width * pixel, top + height * pixel)
    )
    return _cropped(np.clip(np.asarray(resized), 0, 1))


def _stroke_width(digit: Grey) -> float:
    """Estimate the mean width of strokes in pixels."""
    inside = digit > 0.5
    if not inside.any():
        return 0.0
    distance = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    # Across a straight stroke of width w the distance to its edge is (w + 2) / 4 on average.
    return float(4 * distance[inside].mean() - 2)


def _placed(digit: Grey, side: int) -> Grey:
    """Put a digit on black with its centre of mass in the middle, to the nearest pixel, as far as there is room."""
    image = np.zeros((side, side), np.float32)
    top, left = (
        min(max(round(side / 2 - middle), 0), side - length)
        for middle, length in zip(_centre(digit), digit.shape, strict=True)
    )
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image / image.max()


def _centre(digit: Grey) -> tuple[float, float]:
    """Return row and column of the centre of mass; whole numbers are the centres of pixels."""
    rows, columns = digit.sum(axis=1, dtype=np.float64), digit.sum(axis=0, dtype=np.float64)
    return float(rows @ np.arange(len(rows)) / rows.sum()), float(columns @ np.arange(len(columns)) / columns.sum())


def _cropped(digit: Grey) -> Grey:
    return digit[_extents(digit > 0)]


def _extents(occupied: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the rows and the columns between the first and the last that are occupied."""
    where = (np.flatnonzero(occupied.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(int(found[0]), int(found[-1]) + 1) for found in where)
    return rows, columns
