"""Reads pictures of all common formats as grey values, and makes them square."""

import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from stages.shared.errors import UserError, one_line

Converted = TypeVar("Converted")
Ground = Literal["white", "black"]
Squaring = Literal["pad", "crop", "stretch"]

# Pillow reads more formats, and one of them (EPS) by running another program.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# Pictures of other formats are named as unread, not skipped: by their extension, or by how their content starts.
OTHER_EXTENSION = re.compile(
    r"\.(3fr|ai|arw|bpg|clip|cr2|cr3|crw|cur|dcm|dds|djv|djvu|dng|emf|eps|erf|exr|fits|flif|hdr|heic|heics|heif|heifs"
    r"|hif|icns|ico|iiq|jxl|jxr|kra|mrw|nef|nrw|ora|orf|pcx|pdf|pef|ps|psb|psd|qoi|raf|raw|rw2|rwl|sgi|sr2|srf|srw"
    r"|svg|svgz|tga|wmf|x3f|xbm|xcf|xpm)",
    re.IGNORECASE,
)
OTHER_CONTENT = re.compile(
    rb"....ftyp(?:hei|hev|mif1|msf1|crx)|%PDF-|%!PS|8BPS|gimp xcf|AT&TFORM|\xff\x0a|\0\0\0\x0cJXL |qoif"
    rb"|(?:\xef\xbb\xbf)?\s*(?:<\?xml .*|<!--.*|<!DOCTYPE svg.*)?<svg[\s>]",
    re.DOTALL,
)

MAX_PIXELS = 89_478_485  # 1/4 GB as RGB; Pillow's own limit against decompression bombs

# What Pillow's decoders raise for damaged files.
DECODER_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, MemoryError),
    *(struct.error, zlib.error),
)

HALF = 0.5  # higher opacity counts as visible, higher brightness as light


class Picture(NamedTuple):
    """A picture.

    Attributes
    ----------
    grey : ndarray of float32, shape (height, width)
        0 black to 1 white, the right way up.
    notes : list of str
        Remarks on how it was read.
    """

    grey: NDArray[np.float32]
    notes: list[str]


class Found(NamedTuple):
    """The files found in a list of files and folders.

    Attributes
    ----------
    files : list of Path
        The files in the list, and the pictures in its folders, sorted by name in each folder; also those of formats
        that cannot be read.
    skipped : list of Path
        Files in its folders that are not pictures.
    empty : list of Path
        Folders without pictures.
    """

    files: list[Path]
    skipped: list[Path]
    empty: list[Path]


def find_pictures(places: Iterable[str]) -> Found:
    """List pictures, and the pictures in folders (but not in their subfolders).

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
            inside = sorted(path for path in place.iterdir() if not path.is_dir() and not path.name.startswith("."))
        except OSError as error:
            raise UserError(f"cannot read {place}: {error.strerror or error}") from error
        before = len(found.files)
        for path in inside:
            (found.files if _may_be_picture(path) else found.skipped).append(path)
        if len(found.files) == before:
            found.empty.append(place)
    return found


def read_picture(path: Path, ground: Ground | None = None) -> Picture:
    """Read a picture as grey values; parameters and errors as for `decode` and `as_grey`."""
    grey, frames = decode(path, lambda image: as_grey(image, ground))
    return Picture(grey, [f"first of {frames} frames"] if frames > 1 else [])


def decode(path: Path, convert: Callable[[Image.Image], Converted]) -> tuple[Converted, int]:
    """Open a picture, the right way up, and convert it.

    Parameters
    ----------
    path : Path
        A file of one of `FORMATS`, of any bit depth, colours and transparency; of several frames, the first is read.
    convert : callable
        What to do with it.

    Returns
    -------
    converted
        The result of `convert`.
    frames : int
        The number of its frames.

    Raises
    ------
    UserError
        The file is missing, not a picture, damaged, or has more than 89 million pixels.
    """
    if not path.is_file():
        raise UserError(f"{path}: file not found")
    try:
        if not path.stat().st_size:
            raise UserError(f"{path} is empty")
        with warnings.catch_warnings():
            # Pillow warns about harmless details, such as a damaged comment.
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise Image.DecompressionBombError
                # The second frame of a phone's MPO is a preview.
                frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
                image.seek(0)
                image.load()
                return convert(_upright(image)), frames
    except UnidentifiedImageError:
        raise UserError(
            f"{path} is not a picture in a supported format: {', '.join(FORMATS)}; convert it, for "
            "example by exporting it as PNG"
        ) from None
    except Image.DecompressionBombError:
        raise UserError(
            f"{path} is too large: it has more than {MAX_PIXELS:,} pixels; make it smaller or crop it to the digit"
        ) from None
    except PermissionError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except DECODER_ERRORS as error:
        raise UserError(f"{path} is damaged or truncated: {one_line(error)}") from error


def as_grey(image: Image.Image, ground: Ground | None = None) -> NDArray[np.float32]:
    """Convert a picture of any mode to grey values.

    Parameters
    ----------
    image : Image
        A picture.
    ground : {"white", "black"}, optional
        What transparent parts become; by default white, or black if it is light ink on a transparent background.

    Returns
    -------
    ndarray of float32, shape (height, width)
        0 black to 1 white.

    Raises
    ------
    ValueError
        Its colours cannot be converted, or its values are not finite.
    """
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        return _scaled(np.asarray(image))
    if image.has_transparency_data:
        pixels = _as_array(image.convert("LA") if image.mode == "La" else image.convert("RGBA").convert("LA"))
        light, opacity = pixels[..., 0], pixels[..., 1]
        if ground is None:
            ground = "black" if _is_light_ink(light, opacity) else "white"
        return light * opacity + (np.float32(0) if ground == "black" else 1 - opacity)
    return _as_array(image.convert("RGB").convert("L"))


def make_square(grey: NDArray[np.float32], size: int, how: Squaring) -> NDArray[np.float32]:
    """Resize grey values to a square.

    Parameters
    ----------
    grey : ndarray of float32, shape (height, width)
        Grey values of any range.
    size : int
        Height and width of the result in pixels.
    how : {"pad", "crop", "stretch"}
        If the picture is not square: fill the shorter side with the median grey value of its edges, cut the longer side
        around the centre, or change the proportions.

    Returns
    -------
    ndarray of float32, shape (size, size)
        In the same range; `grey` itself if it has this size.
    """
    if grey.shape == (size, size):
        return grey
    image = Image.fromarray(grey)
    smooth = Image.Resampling.BILINEAR  # the others can leave the range
    if how == "crop":
        return np.asarray(ImageOps.fit(image, (size, size), smooth))
    if how == "stretch":
        return np.asarray(image.resize((size, size), smooth))
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    edges = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    padded = Image.new("F", (size, size), float(np.median(edges)))
    padded.paste(image.resize((width, height), smooth), ((size - width) // 2, (size - height) // 2))
    return np.asarray(padded)


def _is_light_ink(light: NDArray[np.float32], opacity: NDArray[np.float32]) -> bool:
    """Return whether a picture is light ink on a transparent background, which would vanish on white."""
    visible = opacity > HALF
    # Ink covers less than half of the picture, unlike a sheet of paper with transparent corners.
    return bool(0 < visible.mean() < 0.5 and (light[visible] > HALF).mean() > 0.98)


def _as_array(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image, np.float32) / np.float32(255)


def _scaled(values: NDArray[np.generic]) -> NDArray[np.float32]:
    """Scale values of more than 8 bits to 0-1; white is 1, 255 or 65,535, the first that no value exceeds."""
    if not np.isfinite(values).all():
        raise ValueError("values are not finite")
    numbers = values.astype(np.float64)
    low, high = min(0.0, float(numbers.min())), float(numbers.max())
    # Unsigned values are from a 16-bit file; other types do not determine the range.
    whites = (65535.0,) if values.dtype.kind == "u" else (1.0, 255.0, 65535.0)
    white = next((top for top in whites if high <= top), high)
    return ((numbers - low) / (white - low)).astype(np.float32)


def _upright(image: Image.Image) -> Image.Image:
    """Rotate a picture by the orientation in its EXIF data."""
    try:
        return ImageOps.exif_transpose(image)
    except DECODER_ERRORS:
        return image  # damaged EXIF data; the pixels were read


def _may_be_picture(path: Path) -> bool:
    """Return whether a file in a folder is a picture, readable or not, by its extension or else its content."""
    Image.init()
    known = Image.registered_extensions().get(path.suffix.lower()) in FORMATS
    if known or OTHER_EXTENSION.fullmatch(path.suffix):
        return True  # a damaged one too, for its error message
    if not path.is_file():
        return False  # opening a named pipe would wait for a writer
    try:
        with path.open("rb") as file:
            if OTHER_CONTENT.match(file.read(1000)):
                return True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(path, formats=FORMATS).close()
    except Image.DecompressionBombError:
        return True
    except DECODER_ERRORS:
        return False
    return True
