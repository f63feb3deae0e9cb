"""Small synthetic data sets in the IDX format."""

import gzip
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class Digits(NamedTuple):
    """A data set: uint8 images (n, side, side), labels (n,), and how many rows, the first, are for training."""

    images: NDArray[np.uint8]
    labels: NDArray[Any]
    train_rows: int

    def files(self) -> dict[str, bytes]:
        """Return the four IDX files by name, not compressed."""
        k = self.train_rows
        contents = (
            idx_images(self.images[:k]),
            idx_labels(self.labels[:k]),
            idx_images(self.images[k:]),
            idx_labels(self.labels[k:]),
        )
        return dict(zip(NAMES, contents, strict=True))


def digits(rows: int = 50, side: int = 28, classes: int = 10, train_rows: int = 40, seed: int = 0) -> Digits:
    """Make noise with labels; every class occurs."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, size=(rows, side, side), dtype=np.uint8)
    return Digits(images, np.arange(rows, dtype=np.uint8) % classes, train_rows)


def idx_images(images: NDArray[np.uint8], magic: int = 0x803) -> bytes:
    """Write images as IDX."""
    return struct.pack(">4I", magic, *images.shape) + images.tobytes()


def idx_labels(labels: NDArray[Any], magic: int = 0x801) -> bytes:
    """Write labels as IDX."""
    return struct.pack(">2I", magic, len(labels)) + labels.astype(np.uint8).tobytes()


def gzipped(files: dict[str, bytes]) -> dict[str, bytes]:
    """Compress files and add .gz to their names."""
    return {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in files.items()}


def dotted(files: dict[str, bytes]) -> dict[str, bytes]:
    """Spell the names with a dot, as some mirrors do."""
    return {name.replace("-idx", ".idx"): content for name, content in files.items()}


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """Write files into a folder, which is made where missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder
