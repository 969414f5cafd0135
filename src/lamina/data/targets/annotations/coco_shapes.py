"""Segmentations of COCO files: polygons and run-length codes, pixel for pixel as pycocotools.

Source: https://github.com/cocodataset/cocoapi, common/maskApi.c, of which ``rleFrPoly`` is followed
step by step: edges are drawn on a grid five times as fine, and what lies between two crossings of a
column is inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError

_FINER = 5
_FIRST_LETTER = 48
_BITS = 5  # of a number in each letter
_FAR = 1e6  # pixels from the image; coordinates beyond are no polygon of it


@dataclass(frozen=True, eq=False)
class Polygon:
    """One ring of corners (corners, 2) of x and y; the first pixel reaches from 0 to 1."""

    corners: NDArray[np.float64]

    def window(self, shape: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
        """Return the columns that the polygon crosses, from the first row to the last."""
        columns, rows = _crossings(self.corners, shape)
        if not len(columns):
            return 0, 0, np.zeros((0, 0), np.bool_)
        height, left = shape[0], int(columns.min())
        width = int(columns.max()) - left + 1
        places = (columns - left) * height + rows
        places = places[places < height * width]  # a run to the end of the last column
        flat = np.bincount(places, minlength=height * width).cumsum() % 2 == 1
        return 0, left, flat.reshape(width, height).T

    def key(self) -> bytes:
        """Return the corners as bytes."""
        return self.corners.tobytes()


@dataclass(frozen=True, eq=False)
class Runs:
    """Lengths of runs off and on, first off, down the columns of an image of ``size``."""

    counts: NDArray[np.int64]
    size: tuple[int, int]

    def window(self, shape: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
        """Return the whole mask."""
        del shape
        states = np.arange(len(self.counts)) % 2 == 1
        mask = np.repeat(states, self.counts).reshape(self.size[1], self.size[0]).T
        return 0, 0, mask

    def key(self) -> bytes:
        """Return size and runs as bytes."""
        return repr(self.size).encode() + self.counts.tobytes()


def polygon(numbers: object) -> Polygon:
    """Return a polygon of COCO: x and y of its corners in turn.

    Raises:
        DataError: these are not at least three pairs of finite numbers.
    """
    try:
        corners = np.asarray(numbers, np.float64)
    except (TypeError, ValueError):
        raise DataError("a polygon that is no list of numbers") from None
    if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2:
        raise DataError("a polygon without three corners of x and y")
    if not (np.abs(corners) < _FAR).all():
        raise DataError("a polygon with a corner that is no place in an image")
    return Polygon(corners.reshape(-1, 2))


def runs(counts: object, size: object) -> Runs:
    """Return a run-length code of COCO, compressed (text) or not (a list).

    Raises:
        DataError: it is no such code, or its runs do not fill its size.
    """
    if not (
        isinstance(size, list)
        and len(size) == 2
        and all(isinstance(n, int) and 0 < n < _FAR for n in size)
    ):
        raise DataError(f"a code of the size {size}; it must be [rows, columns]")
    if isinstance(counts, str):
        found = decompressed(counts)
    elif isinstance(counts, list) and all(isinstance(n, int) and n >= 0 for n in counts):
        found = counts
    else:
        raise DataError("a code whose counts are neither a list of whole numbers nor text")
    rows, columns = size
    if sum(found) != rows * columns or min(found, default=0) < 0:
        raise DataError(f"a code of {sum(found)} pixels for an image of {rows} x {columns}")
    return Runs(np.array(found, np.int64), (rows, columns))


def decompressed(text: str) -> list[int]:
    """Return the runs of a compressed code.

    Numbers are cut into groups of five bits, the lowest first, each a letter from ``0`` on with 32
    added where more follow; from the third run on they are differences to the run before the last.

    Raises:
        DataError: a letter is none of these, or the last number has no end.

    Example:
        >>> decompressed("52203")
        [5, 2, 2, 2, 5]
    """
    found: list[int] = []
    number = shift = 0
    for letter in text:
        value = ord(letter) - _FIRST_LETTER
        if not 0 <= value < 1 << (_BITS + 1) or shift > 60:
            raise DataError(f"a compressed code with the letter '{letter}'")
        number |= (value & 0x1F) << shift
        shift += _BITS
        if value & 0x20:
            continue
        if value & 0x10:
            number -= 1 << shift
        found.append(number + (found[-2] if len(found) > 2 else 0))
        number = shift = 0
    if shift:
        raise DataError("a compressed code that ends within a number")
    return found


def _crossings(
    corners: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return columns and rows at which inside and outside change, down the columns."""
    height, width = shape
    fine = (_FINER * corners + 0.5).astype(np.int64)  # towards zero, as a cast in C
    closed = np.concatenate([fine, fine[:1]])
    across, down = (np.concatenate(one) for one in zip(*map(_edge, pairwise(closed)), strict=True))
    moved = np.flatnonzero(across[1:] != across[:-1]) + 1
    left = across[moved] - (across[moved] > across[moved - 1])
    columns = (left + 0.5) / _FINER - 0.5
    rows = np.ceil((np.minimum(down[moved], down[moved - 1]) + 0.5) / _FINER - 0.5)
    kept = (columns == np.floor(columns)) & (columns >= 0) & (columns <= width - 1)
    return columns[kept].astype(np.int64), rows[kept].clip(0, height).astype(np.int64)


def _edge(
    ends: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of an edge on the fine grid, in the order in which it is walked."""
    (x0, y0), (x1, y1) = (map(int, end) for end in ends)
    dx, dy = abs(x1 - x0), abs(y1 - y0)
    flip = (dx >= dy and x0 > x1) or (dx < dy and y0 > y1)
    if flip:
        x0, x1, y0, y1 = x1, x0, y1, y0
    steps = np.arange(max(dx, dy) + 1)
    if flip:
        steps = steps[::-1]
    slope = ((y1 - y0) / dx if dx else 0.0) if dx >= dy else (x1 - x0) / dy
    if dx >= dy:
        return steps + x0, (y0 + slope * steps + 0.5).astype(np.int64)
    return (x0 + slope * steps + 0.5).astype(np.int64), steps + y0
