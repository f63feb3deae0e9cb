"""Converts a grey picture of a digit to an image like MNIST's: bright on black, scaled and centred.

MNIST's digits were scaled to fit a box of 20 x 20 pixels, with their aspect ratio kept, and placed in 28 x 28 pixels
with their centre of mass in the middle, to the nearest pixel. For models of another size, the box is in proportion.
"""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.ground import ground, mostly_lighter
from inference.page_lines import without_lines
from stages.shared.errors import UserError

Grey = NDArray[np.float32]

BOX = 20 / 28  # size of a digit, as a fraction of the side
MAX_SIDE = 768  # pixels; more detail does not matter for a digit of 20 pixels
SMALL = 32  # pixels; in a smaller picture, the light is even

# Fractions of the range from black to white.
MIN_CONTRAST = 0.04  # of the faintest ink; an empty page in a scan or JPEG varies by less
UNEVEN = 0.1  # variation of the border, as a fraction of the picture's contrast, above which the light is uneven

TRACE = 0.12  # fraction of the contrast of removed lines, below which ink is what is left of them

# Multiples of the background's standard deviation.
ABOVE_NOISE = 4.0  # minimum of ink
BLANK = 6.0  # minimum of the strongest ink; noise alone is below

# Fractions of the ink's contrast.
FAINT_EDGE = 0.05  # minimum of an edge; resampling leaves ripples below
EDGE = 0.25  # edge of a digit that is fitted into the box; determined with enlarged digits of MNIST
NOISY = 0.02  # noise above which a picture is smoothed

DUST = 0.02  # fraction of the largest shape's ink; smaller shapes are not part of the digit
# A shape that covers this fraction of the border is a table or a shadow beside the sheet, if the ink inside is more
# than the other fraction of it.
BESIDE, BESIDE_DIGIT = 0.1, 0.02
# Fractions of the tallest and of the largest shape: a larger shape may be a separate digit. 1 in 1,000 of MNIST's
# digits counts as two, 1 in 180 pairs of digits counts as one.
LARGE_HEIGHT, LARGE_INK = 0.6, 0.15

# Mean stroke widths in pixels of a 20 x 20 box: the 2nd percentile and the median of MNIST's digits.
THIN, USUAL = 1.3, 2.5
FINE = 8  # strokes are measured and thickened at this multiple of the model's resolution


class Prepared(NamedTuple):
    """An image for a model.

    Attributes
    ----------
    image : ndarray of float32, shape (side, side)
        0-1, ink bright on black.
    shapes : int
        Number of separate shapes as large as a digit; more than 1 may be several digits.
    lines : bool
        Whether lines of paper or a frame were removed.
    """

    image: Grey
    shapes: int
    lines: bool


def prepare(grey: Grey, side: int, name: str) -> Prepared:
    """Convert a picture to an image like MNIST's.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        0 black to 1 white: dark ink on a light background or the reverse; may be unevenly lit and noisy.
    side : int
        Height and width of the model's images in pixels, at least 8.
    name : str
        Name of the picture, for error messages.

    Returns
    -------
    Prepared
        A picture that has the model's size, and MNIST's box and centre, is not resampled.

    Raises
    ------
    UserError
        There is no ink in the picture.
    """
    if grey.shape == (side, side) and (found := find_ink(grey)) and not found[1] and _is_in_place(found[0]):
        return Prepared(found[0] / found[0].max(), _large_shapes(found[0]), lines=False)
    whole = _shrink(grey)
    page = without_lines(whole)
    lines = page is not whole
    found = find_ink(page)
    if found is None or found[0].max() < TRACE * np.abs(page - whole).max():
        besides = " besides lines or a frame" if lines else ""
        raise UserError(f"{name}: the picture is blank{besides}; no ink is distinguishable from the background")
    digit = _clean(*found)
    return Prepared(_placed(_scaled(digit, round(side * BOX), side), side), _large_shapes(digit), lines)


def find_ink(grey: Grey) -> tuple[Grey, float] | None:
    """Separate ink from the background; return None if there is no ink.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        0-1.

    Returns
    -------
    ink : ndarray of float32, shape (height, width)
        Difference of each pixel from the background in the direction of the ink, 0-1; 0 in the other direction.
    noise : float
        Standard deviation of the background; 0 for a computer drawing.
    """
    difference = grey - _background(grey)
    signed = difference if mostly_lighter(difference) else -difference
    noise = _noise(signed)
    sigma = max(grey.shape) / 600
    if noise > NOISY * float(signed.max()) and sigma > 0.3:
        signed = np.asarray(cv2.GaussianBlur(signed, (0, 0), sigma), np.float32)
        noise = _noise(signed)
    if float(signed.max()) < max(MIN_CONTRAST, BLANK * noise):
        return None
    return np.maximum(signed, 0), noise


def extent(grey: Grey) -> int:
    """Return the longer side of what is drawn in a picture, in pixels; 0 if nothing is."""
    found = find_ink(grey)
    return 0 if found is None else max(found[0][_extents(found[0] > EDGE * found[0].max())].shape)


def _shrink(grey: Grey) -> Grey:
    factor = MAX_SIDE / max(grey.shape)
    if factor >= 1:
        return grey
    height, width = (max(1, round(length * factor)) for length in grey.shape)
    return np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _background(grey: Grey) -> Grey | np.float32:
    """Estimate the background's brightness: one value, or one value per pixel if the light is uneven."""
    border = grey[_border(grey)]
    level = np.float32(np.median(border))
    low, high = np.percentile(border, [25, 75])
    if high - low <= UNEVEN * float(np.abs(grey - level).max()) or min(grey.shape) < SMALL:
        return level
    return ground(grey).without_ink


def _border(grey: Grey) -> NDArray[np.bool_]:
    """Mark the pixels along the border."""
    height, width = grey.shape
    band = max(1, min(height, width) // 50)
    border = np.ones(grey.shape, bool)
    border[band : height - band, band : width - band] = False
    return border


def _noise(signed: Grey) -> float:
    """Return the background's standard deviation, from the pixels that differ in the direction opposite to the ink."""
    opposite = -signed[signed < 0]
    if not opposite.size:
        return 0.0
    # Glare and a second ink are not noise.
    usual = np.minimum(opposite, 3 * np.median(opposite))
    return float(np.sqrt(2 * np.sum(usual**2, dtype=np.float64) / signed.size))


def _is_in_place(ink: Grey) -> bool:
    """Return whether an image of the model's size has MNIST's box and centre."""
    side = len(ink)
    in_the_middle = all(round(side / 2 - middle) == 0 for middle in _centre(ink))
    return max(_cropped(ink).shape) == round(side * BOX) and in_the_middle


def _clean(ink: Grey, noise: float) -> Grey:
    """Scale the ink to full contrast, 0-1, and remove noise, dust and everything beside the sheet."""
    above = ink[ink > max(ABOVE_NOISE * noise, MIN_CONTRAST / 2)]
    firm = _otsu(above)
    full = float(np.percentile(above[above >= firm], 95))
    digit = np.minimum(ink / full, 1)
    drawn = digit > max(FAINT_EDGE, ABOVE_NOISE * noise / full)
    count, labels = cv2.connectedComponents(drawn.astype(np.uint8), connectivity=8)
    amount = np.bincount(labels.ravel(), weights=digit.ravel(), minlength=count)
    # A shape with some firm ink is kept with its faint edges.
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
    """Return Otsu's threshold, which minimises the variance within the two parts of the values."""
    top = float(values.max())
    levels = np.rint(values / top * 255).astype(np.uint8)
    return float(cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]) / 255 * top


def _large_shapes(digit: Grey) -> int:
    """Count separate shapes as large as a digit, side by side or one above the other."""
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
    """Scale a digit to fit a box in the image; strokes that would become too thin are thickened."""
    fine = _resized(digit, box * FINE, side * FINE)
    pixel = FINE * box / 20
    width = _stroke_width(fine) / pixel
    if width >= THIN:
        return _resized(digit, box, side)
    margin = round((USUAL - width) * pixel / 2)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1, 2 * margin + 1))
    return _resized(np.asarray(cv2.dilate(np.pad(fine, margin), kernel), np.float32), box, side)


def _resized(digit: Grey, box: int, side: int) -> Grey:
    """Scale a digit so that its longer side fills the box; faint edges may extend beyond it."""
    cropped = _cropped(digit)
    if abs(max(cropped.shape) - box) <= 1:
        return cropped  # not blurred by resampling
    middle = _extents(digit > EDGE)
    pixel = max(extent.stop - extent.start for extent in middle) / box  # size in pixels of the digit
    beyond = (side - box) // 4
    height, width = (int(np.ceil((extent.stop - extent.start) / pixel - 1e-6)) + 2 * beyond for extent in middle)
    margin = int(np.ceil((beyond + 1) * pixel)) + 1
    top, left = (margin + extent.start - beyond * pixel for extent in middle)
    # Shrinking averages areas, so that thin strokes become grey and do not vanish between pixels.
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
    # Padded, because the distance to no edge at all would be infinite.
    distance = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    # The mean distance to the edge of a straight stroke of width w is (w + 2) / 4.
    return float(4 * distance[inside].mean() - 2)


def _placed(digit: Grey, side: int) -> Grey:
    """Place a digit on black, with its centre of mass as near to the middle as whole pixels and its size allow."""
    image = np.zeros((side, side), np.float32)
    top, left = (
        min(max(round(side / 2 - middle), 0), side - length)
        for middle, length in zip(_centre(digit), digit.shape, strict=True)
    )
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image / image.max()


def _centre(digit: Grey) -> tuple[float, float]:
    """Return the row and column of the centre of mass; integers are the centres of pixels."""
    rows, columns = digit.sum(axis=1, dtype=np.float64), digit.sum(axis=0, dtype=np.float64)
    return float(rows @ np.arange(len(rows)) / rows.sum()), float(columns @ np.arange(len(columns)) / columns.sum())


def _cropped(digit: Grey) -> Grey:
    return digit[_extents(digit > 0)]


def _extents(occupied: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the slices of rows and columns from the first occupied one to the last."""
    where = (np.flatnonzero(occupied.any(axis=axis)) for axis in (1, 0))
    rows, columns = (slice(int(found[0]), int(found[-1]) + 1) for found in where)
    return rows, columns
