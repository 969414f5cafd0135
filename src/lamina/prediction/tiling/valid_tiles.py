"""Where an image counts: which tiles touch it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.volume import Volume

_ROWS = 256


def tiles_inside(grid: TileGrid, valid: Volume | None) -> list[int]:
    """Return the numbers of the tiles that hold a pixel that counts, in order.

    The area is read once, from its first row to its last, some rows at a time.

    Args:
        grid: A lattice over the image.
        valid: One channel, not 0 where a pixel counts; None: everywhere.

    Returns:
        Numbers in row-major order; the first tile alone where no pixel counts, so that there is
        an answer.

    Raises:
        DataError: the area is not as large as the image.
    """
    if valid is None:
        return list(range(len(grid)))
    if tuple(valid.shape) != tuple(grid.shape):
        raise DataError(
            f"{valid.name}: says where pixels count and is {valid.shape}, the image {grid.shape}; "
            "they must be equal"
        )
    tops, lefts = (np.asarray(starts) for starts in grid.starts)
    height, width = grid.shape
    first, stop = lefts.clip(0), (lefts + grid.tile[1]).clip(max=width)
    touched = np.zeros((height, len(lefts)), np.bool_)  # by the columns of tiles, row by row
    for row in range(0, height, _ROWS):
        inside = rows_of(valid, row, min(row + _ROWS, height))
        before = np.zeros((len(inside), width + 1), np.int32)
        np.cumsum(inside, axis=1, out=before[:, 1:])
        touched[row : row + len(inside)] = before[:, stop] > before[:, first]
    numbers = [
        np.flatnonzero(touched[max(top, 0) : top + grid.tile[0]].any(axis=0)) + i * len(lefts)
        for i, top in enumerate(tops)
    ]
    return [int(number) for number in np.concatenate(numbers)] or [0]


def rows_of(valid: Volume, first: int, stop: int) -> NDArray[np.bool_]:
    """Return which pixels of some rows count, (stop - first, columns)."""
    values = valid.read(Region((first, 0), (stop, valid.shape[1])))
    return np.asarray(values[0] != 0)
