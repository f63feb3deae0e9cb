"""Reads pictures of any usual kind as grey values."""

import struct
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.shared.errors import UserError

# What people keep pictures in. Pillow knows more; one of them (EPS) it gives to another program to run.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
READABLE = "AVIF, BMP, GIF, JPEG, JPEG 2000, PNG, PPM, TIFF and WebP"

MOST_PIXELS = 89_478_485  # 1/4 GB as RGB; Pillow's own limit, above which a small file may be a bomb

# What Pillow's decoders raise over damaged files.
DECODER_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError),
    *(struct.error, zlib.error),
)

HALF = 0.5  # opacity, brightness: what lies above is visible, or light


class Picture(NamedTuple):
    """A picture.

    Attributes
    ----------
    grey : ndarray of float32, shape (height, width)
        0 black to 1 white, the right way up.
    notes : list of str
        What a person should know about how it was read.
    """

    grey: NDArray[np.float32]
    notes: list[str]


class Found(NamedTuple):
    """What files and folders hold.

    Attributes
    ----------
    files : list of Path
        Pictures, a folder's sorted by name; a file that was named stands here whatever it is.
    skipped : list of Path
        Files of folders that are no pictures.
    empty : list of Path
        Folders without a picture.
    """

    files: list[Path]
    skipped: list[Path]
    empty: list[Path]


def find_pictures(places: Iterable[str]) -> Found:
    """List the pictures that are named, and those that lie in the folders that are named (not in folders below).

    Raises
    ------
    UserError
        A folder cannot be read.
    """
    found = Found([], [], [])
    for place in map(Path, places):
        if not place.is_dir():
            found.files.append(place)
            continue
        try:
            inside = sorted(path for path in place.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise UserError(f"cannot read {place}: {error.strerror or error}") from error
        before = len(found.files)
        for path in inside:
            (found.files if _may_be_picture(path) else found.skipped).append(path)
        if len(found.files) == before:
            found.empty.append(place)
    return found


def read_picture(path: Path) -> Picture:
    """Read a picture.

    Parameters
    ----------
    path : Path
        A file of one of `FORMATS`, of any depth, colours and transparency; of several pictures the first is taken.

    Raises
    ------
    UserError
        There is no such file, it is no picture or a damaged one, or it has more than 89 million pixels.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    try:
        if not path.stat().st_size:
            raise UserError(f"{path} is empty")
        with warnings.catch_warnings():
            # Pillow warns of odd details that do no harm, such as a damaged comment.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                # A phone's MPO holds a preview beside the picture.
                frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
                image.seek(0)
                image.load()
                grey = as_grey(_upright(image))
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture that can be read; readable are {READABLE}") from None
    except Image.DecompressionBombError:
        raise UserError(
            f"{path} is too large: it has more than {MOST_PIXELS:,} pixels; make it smaller or cut the digit out"
        ) from None
    except PermissionError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except DECODER_ERRORS as error:
        raise UserError(f"{path} is damaged or breaks off: {' '.join(str(error).split())[:200]}") from error
    return Picture(grey, [f"first of {frames} frames"] if frames > 1 else [])


def as_grey(image: Image.Image) -> NDArray[np.float32]:
    """Turn a picture of any mode into grey values.

    Parameters
    ----------
    image : Image
        Transparent parts become white; black where what is visible is light and on transparent ground.

    Returns
    -------
    ndarray of float32, shape (height, width)
        0 black to 1 white.

    Raises
    ------
    ValueError
        Its colours cannot be converted, or its values are no finite numbers.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _as_share(np.asarray(image))
    if image.has_transparency_data:
        pixels = _as_array(image.convert("LA") if image.mode == "La" else image.convert("RGBA").convert("LA"))
        light, opacity = pixels[..., 0], pixels[..., 1]
        visible = opacity > HALF
        # Light ink alone: without its ground it would vanish on white. A sheet of light paper with transparent
        # corners is no ink: it takes most of the picture.
        light_ink = 0 < visible.mean() < 0.5 and (light[visible] > HALF).mean() > 0.98
        ground = np.float32(0) if light_ink else 1 - opacity
        return light * opacity + ground
    return _as_array(image.convert("RGB").convert("L"))


def _as_array(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32) / np.float32(255)


def _as_share(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Turn values deeper than 8 bits into 0-1: the white that they mean is the next of 1, 255 and 65,535."""
    if not np.isfinite(values).all():
        raise ValueError("some of its values are no finite numbers")
    numbers = values.astype(np.float64)
    least, most = min(0.0, float(numbers.min())), float(numbers.max())
    # Unsigned values are those of a 16-bit file; of others the type does not tell.
    whites = (65535.0,) if values.dtype.kind == "u" else (1.0, 255.0, 65535.0)
    white = next((top for top in whites if most <= top), most)
    return ((numbers - least) / (white - least)).astype(np.float32)


def _upright(image: Image.Image) -> Image.Image:
    """Turn a picture as the camera noted that it was held."""
    try:
        return ImageOps.exif_transpose(image)
    except DECODER_ERRORS:
        return image  # damaged notes; the picture itself has been read


def _may_be_picture(path: Path) -> bool:
    """Tell by the name, or else the content, whether a file of a folder is meant as a picture."""
    Image.init()
    if Image.registered_extensions().get(path.suffix.lower()) in FORMATS:
        return True  # even if it is damaged: then that must be said
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(path, formats=FORMATS).close()
    except Image.DecompressionBombError:
        return True
    except DECODER_ERRORS:
        return False
    return True
