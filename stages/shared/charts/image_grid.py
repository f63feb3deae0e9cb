"""Small images side by side in one array."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def image_map(
    images: NDArray[Any], rows: int, columns: int, padding: int = 2, fill: float = 0.0
) -> NDArray[np.float64]:
    """Arrange images in a grid, row by row.

    Parameters
    ----------
    images : ndarray, shape (..., height, width)
        At most `rows * columns` images; dimensions before the last two are flattened.
    rows, columns : int
        Size of the grid, in images.
    padding : int
        Pixels between neighbouring images; there are none around the grid.
    fill : float
        Value of the padding and of empty cells.

    Returns
    -------
    ndarray of float64, shape (rows * (height + padding) - padding, columns * (width + padding) - padding)
        The images in one array.

    Raises
    ------
    ValueError
        There are more images than cells.
    """
    height, width = images.shape[-2:]
    stack = images.reshape((-1, height, width))
    if len(stack) > rows * columns:
        raise ValueError(f"{len(stack)} images do not fit into {rows} x {columns} = {rows * columns} cells")
    # Each cell has its padding below and on the right; that of the last row and column is cut off.
    cells = np.full((rows * columns, height + padding, width + padding), fill, dtype=np.float64)
    cells[: len(stack), :height, :width] = stack
    table = cells.reshape((rows, columns, height + padding, width + padding)).swapaxes(1, 2)
    whole = table.reshape((rows * (height + padding), columns * (width + padding)))
    return whole[: whole.shape[0] - padding, : whole.shape[1] - padding].copy()


def grid(n: int, columns_at_most: int = 16) -> tuple[int, int]:
    """Choose a grid for `n` images: wide rather than tall, few empty cells, no long strips.

    Parameters
    ----------
    n : int
        Number of images, 1 or more.
    columns_at_most : int
        Largest number of columns.

    Returns
    -------
    tuple of int
        Rows and columns.

    Raises
    ------
    ValueError
        `n` or `columns_at_most` is less than 1.
    """
    if n < 1 or columns_at_most < 1:
        raise ValueError(f"a grid needs 1 or more images and columns, not {n} and {columns_at_most}")
    candidates = []
    for columns in range(1, min(n, columns_at_most) + 1):
        rows = -(-n // columns)
        # A single row of up to 8, or at most four times as many columns as rows.
        if rows <= columns <= 4 * rows or (rows == 1 and n <= 8):
            candidates.append((rows * columns - n, columns - rows, rows, columns))
    if not candidates:
        return -(-n // columns_at_most), columns_at_most
    return min(candidates)[2:]
