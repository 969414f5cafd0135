"""Which tiles touch what is asked for: where an image or a volume counts, or a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

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


class AskedTile(NamedTuple):
    """A tile of a batch of which some are needed."""

    number: int
    """In the lattice."""
    touches: bool
    """Whether it touches the part; else another tile of its batch does."""


def batches_of(
    grid: TileGrid, numbers: Sequence[int], size: int, row: int, across: Region
) -> list[AskedTile]:
    """Return the tiles of all batches that a part of an image or a volume needs, in order.

    Batches are those of the whole: ``size`` tiles each, out of ``numbers`` in order.

    Args:
        grid: The lattice.
        numbers: Tiles that are answered for the whole, rising.
        size: Tiles of a batch.
        row: The first row, or plane along the first axis, of the part, which goes on to the end.
        across: The part along the axes after the first.
    """
    places = np.unravel_index(np.asarray(numbers, np.int64), [len(s) for s in grid.starts])
    touches = np.ones(len(numbers), np.bool_)
    below = _ends(grid, 0, places[0]) > row
    for axis, (first, stop) in enumerate(zip(across.start, across.stop, strict=True), start=1):
        ends = _ends(grid, axis, places[axis])
        touches &= (ends > first) & (ends - grid.tile[axis] < stop)
    needed = np.zeros(-(-len(numbers) // size) * size, np.bool_)
    needed[: len(numbers)] = below & touches
    whole = np.repeat(needed.reshape(-1, size).any(axis=1), size)[: len(numbers)]
    return [
        AskedTile(number, touch)
        for number, touch, asked in zip(numbers, touches.tolist(), whole.tolist(), strict=True)
        if asked
    ]


def _ends(grid: TileGrid, axis: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where tiles end along an axis, by their places along it."""
    starts = np.asarray(grid.starts[axis], np.int64)
    return np.asarray(starts[places] + grid.tile[axis])


def rows_of(
    valid: Volume, first: int, stop: int, across: Region | None = None
) -> NDArray[np.bool_]:
    """Return which pixels of some rows (or planes) count, (stop - first, *columns).

    Args:
        valid: One channel, not 0 where a pixel counts.
        first: The first row or plane.
        stop: Where they end.
        across: The part of the axes after the first; None: all.
    """
    part = Region.whole(valid.shape[1:]) if across is None else across
    values = valid.read(Region((first, *part.start), (stop, *part.stop)))
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
