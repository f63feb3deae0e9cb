"""Removes the lines of paper and the frames of cells from a picture of a digit.

A line of the page is straight, and each of its ends is at the border of the picture, as on squared and ruled paper, or
at a corner with another such line, as in a box. The strokes of a digit end elsewhere.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from inference.ground import ground

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]

SMALLEST = 48  # pixels; in a smaller picture, strokes and lines are too few pixels wide to tell apart

# Fractions of the shorter side of the picture.
LONG = 0.35  # minimum of a line
WIDE = 0.14  # maximum width of a line, and of the frame at the border
INSIDE = 0.1  # of the pixels of a shape: with fewer further from the border than `WIDE`, it may be left from a frame
NEAR = 0.015  # distance between the end of a line and the border
CORNER = 0.1  # distance between the ends of two lines and the corner that they make

ANGLE, FINE = np.pi / 720, np.pi / 1440  # resolution of directions, found and fitted: 0.25 and 0.125 degrees
GAP = 0.02  # longest gap within a line, as a fraction of the shorter side
UPRIGHT = 0.9  # minimum sine of the angle between two sides of a box
SLENDER = 6  # minimum length of the side of a box, as a multiple of its width
COVERED = 0.8  # fraction of a line that must be drawn; strokes over it may be left out
FEW = 3  # straight strokes in a digit, at most
STROKE = 0.05  # minimum width of a stroke in a digit that fills the picture, as a fraction of the shorter side
MOST = 2000  # candidates that are looked at
# Fractions of a line's way through the picture that must be drawn, if it reaches the border, and if it may be of a box.
PROMISING, BOX = 0.5, 0.6

# Minimum contrasts of a line, as fractions of black to white: in the direction of the ink, and in the other one, where
# the estimated page has steps.
VISIBLE, OTHER_VISIBLE = 0.03, 0.1
ABOVE_NOISE = 3.0  # the same, in standard deviations of the ground
CLEAR = 20  # percentage of a line that is clear of strokes, at least
FADING = 0.08  # contrast at the edge of a line, as a fraction of its own
DARKER = 1.4  # ink with more than this multiple of the line's contrast is a stroke over the line


class Line(NamedTuple):
    """A straight line of some width.

    Attributes
    ----------
    angle : float
        Of its normal, in radians from the x-axis, as in Hough's transform.
    distance : float
        From the top left pixel, in pixels.
    start, end : float
        Positions of its ends, in pixels from the foot of the normal.
    first, last : float
        Its edges, in pixels from `distance`.
    """

    angle: float
    distance: float
    start: float
    end: float
    first: float = 0
    last: float = 0

    @property
    def length(self) -> float:
        return self.end - self.start

    @property
    def width(self) -> float:
        return self.last - self.first

    def points(self, along: Floats, across: Floats) -> tuple[Grey, Grey]:
        """Return x and y at positions along the line and distances across it, which broadcast."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        beyond = self.distance + across
        return (beyond * cos - along * sin).astype(np.float32), (beyond * sin + along * cos).astype(np.float32)

    def place(self, x: Grey, y: Grey) -> tuple[Grey, Grey]:
        """Return the positions of points along the line, and their distances across it."""
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        return y * cos - x * sin, x * cos + y * sin - np.float32(self.distance)


def without_lines(grey: Grey) -> Grey:
    """Paint over the lines and frames of the page, as far as no darker stroke crosses them.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        0 black to 1 white.

    Returns
    -------
    ndarray of float32, shape (height, width)
        The same array if there are no lines.
    """
    if min(grey.shape) < SMALLEST:
        return grey
    light_ink, without_ink, page = ground(grey)
    sign = 1 if light_ink else -1
    # Lines that differ from the page as the ink does, and lines that differ in the other direction.
    mask = line_mask(sign * (grey - without_ink), VISIBLE) | line_mask(sign * (page - without_ink), OTHER_VISIBLE)
    if not mask.any():
        return grey
    # Inpainting of floats leaves specks.
    painted = cv2.inpaint(np.rint(grey * 255).astype(np.uint8), mask.astype(np.uint8), 3, cv2.INPAINT_TELEA)
    return np.where(mask, painted.astype(np.float32) / 255, grey)


def line_mask(contrast: Grey, least: float) -> Mask:
    """Mark the pixels of page lines.

    Parameters
    ----------
    contrast : ndarray of float32, shape (height, width)
        Difference from the page, positive in the direction of the lines; -1 to 1.
    least : float
        Minimum contrast of a line.
    """
    noise = 1.4826 * float(np.median(np.abs(contrast)))  # standard deviation, if most pixels are page
    contrast = np.maximum(contrast, 0)
    drawn = contrast > max(least, ABOVE_NOISE * noise)
    mask = np.zeros(drawn.shape, bool)
    lines = page_lines(drawn)
    usual = float(np.median([line.width for line in lines])) if len(lines) > FEW else np.inf
    for line in lines:
        # A line that seems wider than the others of the page has a stroke along it.
        mask |= _band(line, contrast, noise, drawn, CLEAR if line.width > 3 * usual + 3 else 50)
    return _with_remnants(mask, drawn, lines)


def _band(line: Line, contrast: Grey, noise: float, drawn: Mask, percentage: float) -> Mask:
    """Mark the pixels of a line, except those of darker strokes."""
    first, last, level = _edges(line, contrast, percentage)
    y, x = np.mgrid[: drawn.shape[0], : drawn.shape[1]].astype(np.float32)
    along, across = line.place(x, y)
    band = (across >= first) & (across <= last) & (along >= line.start - 2) & (along <= line.end + 2)
    for beyond in (across < first, across > last):
        # A frame is drawn as far as the border of the picture.
        if 0 < beyond.mean() < 2 * WIDE and drawn[beyond].mean() > COVERED:
            band |= beyond
    return np.asarray(band & (contrast <= DARKER * level + ABOVE_NOISE * noise), bool)


def _with_remnants(mask: Mask, drawn: Mask, lines: list[Line]) -> Mask:
    """Add what a frame leaves along the border; return an empty mask if the lines are strokes of a digit."""
    side = min(drawn.shape)
    if len(lines) <= FEW and any(_is_stroke(line, drawn.shape) for line in lines):
        return np.zeros_like(mask)
    near, band = max(3, NEAR * side), round(WIDE * side)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((drawn & ~mask).astype(np.uint8), connectivity=8)
    left, top, width, height, area = stats.T
    right, bottom = drawn.shape[1] - left - width, drawn.shape[0] - top - height
    at_border = np.minimum(np.minimum(left, right), np.minimum(top, bottom)) < near
    at_border[0] = False  # all the rest
    within = np.bincount(labels[band:-band, band:-band].ravel(), minlength=len(area)) > INSIDE * area
    # A digit that fills the picture, such as a 4, has strokes from border to border.
    fills = at_border & within & (np.minimum(width, height) > 2 * band)
    if len(lines) <= FEW and fills.any():
        return np.zeros_like(mask)
    remnants = at_border & ~within
    inside = area[1:][~at_border[1:]].max(initial=0)
    if not lines and inside < INSIDE * area[remnants].sum():
        return mask  # nothing but a digit that fills the picture
    return mask | cv2.dilate(remnants[labels].astype(np.uint8), np.ones((3, 3))).astype(bool)


def _is_stroke(line: Line, shape: tuple[int, ...]) -> bool:
    """Return whether a line is wide and not along the border, as the strokes of an 11 that fills the picture."""
    side = min(shape)
    (x,), (y,) = line.points(np.array([(line.start + line.end) / 2]), np.zeros(1))
    from_border = min(x, y, shape[1] - x, shape[0] - y)
    return bool(line.width > STROKE * side and from_border > WIDE * side)


def _edges(line: Line, contrast: Grey, percentage: float) -> tuple[float, float, float]:
    """Return where a line fades into the ground, as distances across it, and its contrast."""
    extra = 4 + line.width / 4
    across = np.arange(np.floor(line.first - extra), np.ceil(line.last + extra) + 1)
    strip = _sampled(contrast, line, np.arange(line.start, line.end)[:, np.newaxis], across)
    itself = (across >= line.first - 1) & (across <= line.last + 1)
    # Interpolation between pixels halves a line of one pixel.
    peaks = np.asarray(cv2.dilate(contrast, np.ones((3, 3))), np.float32)
    strongest = _sampled(peaks, line, np.arange(line.start, line.end)[:, np.newaxis], across[itself]).max(axis=1)
    # Where no stroke is on the line, or none that is darker.
    lowest = np.percentile(strongest[strongest > VISIBLE], CLEAR)
    clear = (strongest > VISIBLE) & (strongest <= DARKER * lowest)
    profile = np.percentile(strip[clear], percentage, axis=0)
    # Beyond its edges may be another line.
    top = int(np.where(itself, profile, -1).argmax())
    weak = np.pad(profile <= FADING * profile[top], 1, constant_values=True)
    first = top + 1 - int(np.argmax(weak[top + 1 :: -1]))
    last = top + int(np.argmax(weak[top + 1 :])) - 1
    margin = 1 + (last - first) / 6  # blur and JPEG
    return float(across[first]) - margin, float(across[last]) + margin, float(np.median(strongest[clear]))


def _sampled(values: Grey, line: Line, along: Floats, across: Floats) -> Grey:
    """Interpolate values at positions along and across a line; 0 outside."""
    x, y = line.points(along, across)
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)


def page_lines(drawn: Mask) -> list[Line]:
    """Find the straight lines whose ends are all at the border of the picture or at the ends of other such lines."""
    side = min(drawn.shape)
    values = drawn.astype(np.float32)
    seen: list[Line] = []
    for candidate in _candidates(drawn)[:MOST]:
        if _is_in(candidate, seen):
            continue
        line = _covered_part(candidate, values)
        if line is None or line.length < LONG * side or _is_in(line, seen):
            continue
        line = _fitted(line, values)
        seen.append(_covered_part(_whole(line, drawn.shape), values) or line)
    found = [line for line in seen if line.width <= WIDE * side]
    while True:
        held = [line for line in found if _is_held(line, found, drawn.shape)]
        if len(held) == len(found):
            return held
        found = held


def _candidates(drawn: Mask) -> list[Line]:
    """Return lines through the whole picture that may be drawn on much of their way."""
    votes = cv2.HoughLinesWithAccumulator(drawn.astype(np.uint8), 1, ANGLE, int(LONG * min(drawn.shape)))
    if votes is None:
        return []
    distance, angle, count = votes.reshape(-1, 3).T.astype(float)
    start, end = _through(angle, distance, drawn.shape)
    likely = (count >= PROMISING * (end - start)) & (end > start)
    angle, distance, start, end, count = (values[likely] for values in (angle, distance, start, end, count))
    # At the border, or as long as the side of a box.
    reached = np.asarray(cv2.dilate(drawn.astype(np.uint8), np.ones((5, 5))), bool)
    likely = count >= BOX * (end - start)
    for along in (start + 2, end - 2):
        x = np.rint(distance * np.cos(angle) - along * np.sin(angle)).astype(int)
        y = np.rint(distance * np.sin(angle) + along * np.cos(angle)).astype(int)
        likely |= reached[np.clip(y, 0, drawn.shape[0] - 1), np.clip(x, 0, drawn.shape[1] - 1)]
    return [Line(*values) for values in np.array([angle, distance, start, end]).T[likely].tolist()]


def _through(angle: Floats, distance: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the positions on lines where they enter and leave the picture; the first is larger outside of it."""
    height, width = shape
    cos, sin = (np.where(np.abs(value) < 1e-6, 1e-6, value) for value in (np.cos(angle), np.sin(angle)))
    # Half a pixel beyond the centres of the outermost ones.
    columns = np.sort([(distance * cos + 0.5) / sin, (distance * cos - width + 0.5) / sin], axis=0)
    rows = np.sort([(-0.5 - distance * sin) / cos, (height - 0.5 - distance * sin) / cos], axis=0)
    return np.maximum(columns[0], rows[0]), np.minimum(columns[1], rows[1])


def _whole(line: Line, shape: tuple[int, ...]) -> Line:
    """Return the line in the middle of a band, from border to border."""
    middle = (line.first + line.last) / 2
    start, end = _through(np.array([line.angle]), np.array([line.distance + middle]), shape)
    first, last = line.first - middle, line.last - middle
    return Line(line.angle, line.distance + middle, float(start[0]), float(end[0]), first, last)


def _covered_part(line: Line, values: Grey) -> Line | None:
    """Return the longest part of a line that is drawn."""
    along = np.arange(line.start, line.end + 1)
    if len(along) < 2:
        return None
    drawn = _sampled(values, line, along[:, np.newaxis], np.array([-1.0, 0.0, 1.0])).max(axis=1) > 0.3
    gap = max(1, round(GAP * min(values.shape))) | 1
    bridged = cv2.morphologyEx(np.pad(drawn, gap).astype(np.uint8)[np.newaxis], cv2.MORPH_CLOSE, np.ones((1, gap)))
    steps = np.diff(bridged[0, gap:-gap].astype(int), prepend=0, append=0)
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    if not len(starts):
        return None
    longest = int(np.argmax(ends - starts))
    start, end = int(starts[longest]), int(ends[longest])
    if drawn[start:end].mean() < COVERED:
        return None
    return line._replace(start=float(along[start]), end=float(along[end - 1]))


def _fitted(line: Line, values: Grey) -> Line:
    """Turn a line to where its edges are sharpest, and measure them."""
    widest = int(np.ceil(WIDE * min(values.shape))) + 2
    line = _sharpest(line, values, 6, FINE * np.arange(-4, 5))
    if line.width > 4:
        # Within a wide line, a line at another angle is covered as well.
        line = _sharpest(line, values, widest, 4 * FINE * np.arange(-6, 7))
        line = _sharpest(line, values, widest, FINE * np.arange(-3, 4))
    return line


def _sharpest(line: Line, values: Grey, reach: int, turns: Floats) -> Line:
    """Return the turned line with the sharpest edges, which are at most `reach` pixels away."""
    across = np.arange(-reach, reach + 1, dtype=float)
    lines = [_turned(line, float(turn)) for turn in turns]
    profiles = [_coverage(candidate, values, across) for candidate in lines]
    best = int(np.argmax([np.sum(profile**4) for profile in profiles]))
    solid = np.pad(profiles[best] > 0.5, 1)
    middle = reach - 1 + int(np.argmax(profiles[best][reach - 2 : reach + 3]))
    first = middle - int(np.argmin(solid[middle::-1])) + 1
    last = middle + int(np.argmin(solid[middle:])) - 1
    return lines[best]._replace(first=float(first - 1 - reach), last=float(last - 1 - reach))


def _turned(line: Line, by: float) -> Line:
    """Turn a line around its middle."""
    middle = np.array([(line.start + line.end) / 2])
    turned = line._replace(angle=line.angle + by, distance=0)
    (along,), (distance,) = turned.place(*line.points(middle, np.zeros(1)))
    start, end = float(along) - line.length / 2, float(along) + line.length / 2
    return turned._replace(distance=float(distance), start=start, end=end)


def _coverage(line: Line, values: Grey, across: Floats) -> Floats:
    """Return the fraction of a line that is drawn, at distances across it."""
    along = np.linspace(line.start, line.end, min(200, int(line.length) + 1))[:, np.newaxis]
    return _sampled(values, line, along, across).mean(axis=0)


def _is_in(line: Line, others: list[Line]) -> bool:
    """Return whether a line is within another one: two of its ends and its middle are."""
    if not others:
        return False
    x, y = line.points(np.array([line.start, (line.start + line.end) / 2, line.end]), np.zeros(3))
    angle, distance, start, end, first, last = np.array(others).T[:, :, np.newaxis]
    across = x * np.cos(angle) + y * np.sin(angle) - distance
    along = y * np.cos(angle) - x * np.sin(angle)
    inside = (first - 2 <= across) & (across <= last + 2) & (start - 3 <= along) & (along <= end + 3)
    return bool((inside.sum(axis=1) >= 2).any())


def _is_held(line: Line, lines: list[Line], shape: tuple[int, ...]) -> bool:
    """Return whether a line is at the border or makes a corner with another line, at both ends."""
    near = max(3.0, NEAR * min(shape))
    for end, outwards in ((line.start, -near), (line.end, near)):
        (x,), (y,) = line.points(np.array([end + outwards]), np.zeros(1))
        leaves = not (0 <= x < shape[1] and 0 <= y < shape[0])
        corner = line.length > SLENDER * line.width and any(
            _is_corner(line, end, other, CORNER * min(shape)) for other in lines
        )
        if not leaves and not corner:
            return False
    return True


def _is_corner(line: Line, end: float, other: Line, near: float) -> bool:
    """Return whether an end of a line is near an end of another one at about a right angle, or meets it there."""
    turn = other.angle - line.angle
    if abs(np.sin(turn)) < UPRIGHT:
        return False
    # Where they meet: other.distance = x cos + y sin of a point on the line.
    meeting = (other.distance - line.distance * np.cos(turn)) / np.sin(turn)
    (along,), _ = other.place(*line.points(np.array([meeting]), np.zeros(1)))
    return bool(abs(meeting - end) <= near and min(abs(along - other.start), abs(along - other.end)) <= near)
