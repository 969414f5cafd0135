"""Large images at several sizes, made once they are scored, in files of a scratch folder.

    level 0   the image itself, read where it lies
    level 1   a quarter of its rows and columns
    level 2   a sixteenth, and so on down to 2^20 pixels

A picture of any part reads the coarsest level that still has a pixel for each of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.viewer.cases.reductions import Reduction

STEP = 4
"""Factor from one level to the next."""

SMALL = 2**22
"""Images with at most so many pixels need no levels."""

_LAST = 2**20  # pixels of the last level at most
_ROWS = 512  # rows that are read together; tiles and stored chunks have divisors of it
_numbers = itertools.count()

Read = Callable[[Region], NDArray[Any]]


@dataclass(frozen=True)
class Levels:
    """Shrunk copies (N, h, w) of one image, the finest first; their files vanish with them."""

    arrays: tuple[NDArray[Any], ...]
    paths: tuple[Path, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(array.nbytes for array in self.arrays)

    def at(self, factor: int) -> tuple[int, NDArray[Any]] | None:
        """Return factor and array of the coarsest level of at most ``factor``; None: level 0."""
        level = 0
        while level < len(self.arrays) and STEP ** (level + 1) <= factor:
            level += 1
        return None if level == 0 else (STEP**level, self.arrays[level - 1])

    def __del__(self) -> None:
        for path in self.paths:
            with suppress(OSError):  # the folder may be gone
                path.unlink()


def built(
    read: Read, channels: int, shape: Sequence[int], reduce: Reduction, folder: Path
) -> Levels:
    """Read an image (N, H, W) once, in bands of rows, and return its levels.

    Args:
        read: Returns (N, *region).
        channels: N.
        shape: H and W.
        reduce: How values are shrunk.
        folder: For the files.

    Raises:
        DataError: a part cannot be read.
    """
    rows, columns = shape
    arrays: list[NDArray[Any]] = []
    paths: list[Path] = []
    for top in range(0, rows, _ROWS):
        bottom = min(top + _ROWS, rows)
        band = reduce(read(Region((top, 0), (bottom, columns))), STEP)
        if not arrays:
            _add(arrays, paths, folder, (channels, -(-rows // STEP), band.shape[2]), band.dtype)
        start = top // STEP
        arrays[0][:, start : start + band.shape[1]] = band
    while arrays[-1][0].size > _LAST:
        smaller = reduce(arrays[-1], STEP)
        _add(arrays, paths, folder, smaller.shape, smaller.dtype)
        arrays[-1][...] = smaller
    return Levels(tuple(arrays), tuple(paths))


def _add(
    arrays: list[NDArray[Any]],
    paths: list[Path],
    folder: Path,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> None:
    paths.append(folder / f"level-{next(_numbers)}.npy")
    arrays.append(np.lib.format.open_memmap(paths[-1], mode="w+", dtype=dtype, shape=shape))
