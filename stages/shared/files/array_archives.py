"""Archives of NumPy arrays (.npz), never with pickled objects."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.shared.files.whole_files import reading, replacing


def save_arrays(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays, uncompressed."""
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


@contextmanager
def reading_arrays(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    """Open an archive that `save_arrays` wrote; an array is read when its name is looked up.

    Raises
    ------
    UserError
        The file is missing, or it or what the block reads of it is damaged.
    """
    # NumPy would leave a damaged file open if it opened the file itself.
    with reading(path), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        if any(info.compress_type != zipfile.ZIP_STORED for info in arrays.zip.infolist()):
            raise ValueError("its arrays are compressed, which could be a zip bomb")
        yield arrays
