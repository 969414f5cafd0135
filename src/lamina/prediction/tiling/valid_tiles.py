"""Where an image or a volume counts: which tiles touch it."""

from __future__ import annotations

from math import prod

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.volume import Volume

_ROWS, _PIXELS = 256, 2**20  # that are read at a time, of images and of volumes


def tiles_inside(grid: TileGrid, valid: Volume | None) -> list[int]:
    """Return the numbers of the tiles that hold a pixel that counts, in order.

    The area is read once, from its first row to its last, some rows at a time, or planes.

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
    tops, *others = (np.asarray(starts) for starts in grid.starts)
    touched = np.zeros((grid.shape[0], *map(len, others)), np.bool_)  # by tiles but for rows
    step = _ROWS if len(others) == 1 else max(1, _PIXELS // prod(grid.shape[1:]))
    for row in range(0, grid.shape[0], step):
        inside = rows_of(valid, row, min(row + step, grid.shape[0]))
        for axis, starts in enumerate(others, start=1):
            inside = _touched(inside, axis, starts, grid.tile[axis])
        touched[row : row + len(inside)] = inside
    each = touched[0].size
    numbers = [
        np.flatnonzero(touched[max(top, 0) : top + grid.tile[0]].any(axis=0)) + i * each
        for i, top in enumerate(tops)
    ]
    return [int(number) for number in np.concatenate(numbers)] or [0]


def rows_of(valid: Volume, first: int, stop: int) -> NDArray[np.bool_]:
    """Return which pixels of some rows (or planes) count, (stop - first, *columns)."""
    before = (0,) * (len(valid.shape) - 1)
    values = valid.read(Region((first, *before), (stop, *valid.shape[1:])))
    return np.asarray(values[0] != 0)


def _touched(
    inside: NDArray[np.bool_], axis: int, starts: NDArray[np.int64], tile: int
) -> NDArray[np.bool_]:
    """Return whether the pixels of each tile along an axis hold one that counts."""
    length = inside.shape[axis]
    before = np.zeros([n + (at == axis) for at, n in enumerate(inside.shape)], np.int32)
    at = tuple(slice(1, None) if number == axis else slice(None) for number in range(inside.ndim))
    np.cumsum(inside, axis=axis, out=before[at])
    first, stop = starts.clip(0), (starts + tile).clip(max=length)
    return np.asarray(before.take(stop, axis) > before.take(first, axis))
