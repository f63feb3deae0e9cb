"""Estimates the brightness of a page without ink, lines and frames."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]

# Windows, as fractions of the shorter side of the picture.
MEDIAN = 0.5  # ink, lines and frames cover less than half of it
CLOSING = 0.28  # wider than strokes, and twice as wide as frames
HALF = 0.5
SMOOTH = 0.06  # largest deviation of light that is even or changes slowly from a parabolic surface
LARGEST_MEDIAN = 253  # pixels; a limit of OpenCV


class Ground(NamedTuple):
    """The brightness of a page.

    Attributes
    ----------
    light_ink : bool
        Whether the ink is lighter than the page.
    without_ink : ndarray of float32, shape (height, width)
        0-1, without all that differs from the page in the direction of the ink.
    page : ndarray of float32, shape (height, width)
        0-1, also without what differs in the other direction, such as a white frame around a grey cell.
    """

    light_ink: bool
    without_ink: Grey
    page: Grey


def ground(grey: Grey) -> Ground:
    """Estimate the brightness of a page, which may be unevenly lit.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        0 black to 1 white.
    """
    light_ink = _has_light_ink(_as_bytes(grey))
    side = min(grey.shape)
    # Closing fills what is dark and narrower than its window, and keeps the edges of shadows; opening, what is light.
    window = np.ones((int(side * CLOSING) | 1,) * 2, np.uint8)
    fill, clear = (cv2.MORPH_OPEN, cv2.MORPH_CLOSE) if light_ink else (cv2.MORPH_CLOSE, cv2.MORPH_OPEN)

    def filled(light: Grey) -> Grey:
        even = cv2.medianBlur(_as_bytes(grey - light + HALF), 5 if side > 100 else 3)
        return cv2.morphologyEx(even, fill, window) / np.float32(255) - HALF + light

    light = np.full_like(grey, grey.mean())
    without_ink = filled(light)
    for _ in range(3):
        # Closing fills the dark corners of a page that is lighter in the middle, less so if smooth light is left out.
        smooth = _smooth(without_ink)
        if np.percentile(np.abs(without_ink - smooth), 95) > SMOOTH:
            break
        light = smooth
        without_ink = filled(light)
    page = cv2.morphologyEx(without_ink - light, clear, window) + light
    shift = np.float32(np.median(grey - without_ink))  # noise makes it too light, or too dark
    return Ground(light_ink, without_ink + shift, page + shift)


def _smooth(grey: Grey) -> Grey:
    """Return the parabolic surface that fits grey values best."""
    height, width = grey.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    step = max(1, min(grey.shape) // 32)
    some = terms[::step, ::step].reshape(-1, 6)
    coefficients = np.linalg.lstsq(some, grey[::step, ::step].ravel(), rcond=None)[0]
    return np.asarray(terms @ coefficients, np.float32)


def _as_bytes(grey: Grey) -> NDArray[np.uint8]:
    return np.asarray(np.rint(np.clip(grey, 0, 1) * 255), np.uint8)


def _has_light_ink(pixels: NDArray[np.uint8]) -> bool:
    """Return whether what differs from the median of its surroundings is mostly lighter."""
    height, width = pixels.shape
    window = min(int(min(height, width) * MEDIAN), LARGEST_MEDIAN) | 1
    half = window // 2
    padded = cv2.copyMakeBorder(pixels, half, half, half, half, cv2.BORDER_REFLECT_101)
    median = cv2.medianBlur(padded, window)[half : half + height, half : half + width]
    return mostly_lighter(pixels.astype(np.float32) - median)


def mostly_lighter(difference: Grey) -> bool:
    """Return whether what differs from the ground by more than its noise is mostly lighter."""
    spread = 1.4826 * float(np.median(np.abs(difference)))  # standard deviation, if most pixels are background
    outside = np.where(np.abs(difference) > 3 * spread, difference, 0)
    # Squares, so that a few strong strokes outweigh much weak texture.
    return bool(np.sum(np.maximum(outside, 0) ** 2) >= np.sum(np.minimum(outside, 0) ** 2))
