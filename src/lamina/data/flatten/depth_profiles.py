"""Mean values of a fragment's layers, cell by cell: all that its alignment is fitted to.

Cells lie between the borders of the overlapping tiles, so that a tile is a rectangle of whole
cells and every pixel is read once. They are small, and kept: fitting anew reads nothing.

Letters: Z layers; Y, X cells; ny, nx tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.flatten.column_maps import Maps
from lamina.data.views.chunks import PIECE
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.progress import Bar
from lamina.volume import Volume, chunk_shape_of

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stack:
    """A fragment before its alignment; opened, not read."""

    id: str

    volume: Volume
    """``"zyx"``, one channel."""

    mask: Volume | None = None
    """``"yx"``, above 0 where there is papyrus; None: everywhere."""

    ink: Volume | None = None
    """``"yx"``, above 0 where there is ink; only curves for people are made from it."""


@dataclass(frozen=True, eq=False)
class Curves:
    """Sums of the layers over the papyrus of each cell, and over its ink."""

    grid: TileGrid
    """Tiles over the shrunk fragment."""
    shrink: int
    count: NDArray[np.int64]
    """(Y, X) pixels."""
    total: Array
    """(Y, X, Z) sums of values."""
    ink_count: NDArray[np.int64]
    ink_total: Array

    @cached_property
    def edges(self) -> tuple[tuple[int, ...], ...]:
        """Borders of the cells along rows and columns, in shrunk pixels."""
        return edges_of(self.grid)

    @property
    def depth(self) -> int:
        """Z."""
        return int(self.total.shape[2])

    def mean(self) -> Array:
        """Return the mean curve of the whole fragment, (Z,)."""
        found: Array = self.total.sum((0, 1)) / self.count.sum()
        return found

    def tiles(self) -> Array:
        """Return the mean curve of each tile, (ny, nx, Z); NaN where a tile has no papyrus."""
        spans = []
        for starts, tile, edges in zip(self.grid.starts, self.grid.tile, self.edges, strict=True):
            low = np.searchsorted(edges, np.maximum(starts, 0))
            spans.append((low, np.searchsorted(edges, np.minimum(np.add(starts, tile), edges[-1]))))
        count = _sums(self.count.astype(np.float64), spans)
        found = np.full((*count.shape, self.depth), np.nan)
        np.divide(_sums(self.total, spans), count[..., None], out=found, where=count[..., None] > 0)
        return found

    def middles(self) -> tuple[Array, Array]:
        """Return the middles of tiles along rows and columns, in pixels of the stack."""
        rows, columns = (
            self._pixels((np.maximum(starts, 0) + np.minimum(np.add(starts, tile), length) - 1) / 2)
            for starts, tile, length in zip(
                self.grid.starts, self.grid.tile, self.grid.shape, strict=True
            )
        )
        return rows, columns

    def moved(self, maps: Maps | None, what: str = "full") -> Array:
        """Return the mean curve with each cell moved by the maps at its middle, (Z,).

        A layer's mean is that of the cells that have it; NaN where none has.

        Args:
            maps: How cells are moved; None: not at all.
            what: full, ink or background (papyrus without ink).
        """
        count, total = self._of(what)
        places = np.nonzero(count)
        if not len(places[0]):
            return np.full(self.depth, np.nan)
        curves = total[places] / count[places][:, None]
        shift, scale = np.zeros(len(curves)), np.ones(len(curves))
        if maps is not None:
            rows, columns = (
                self._pixels(np.array([(a + b - 1) / 2 for a, b in pairwise(edges)]))
                for edges in self.edges
            )
            shift, scale = (one[places].astype(np.float64) for one in maps.between(rows, columns))
        return _mean_of_moved(curves, count[places].astype(np.float64), shift, scale)

    def _of(self, what: str) -> tuple[NDArray[np.int64], Array]:
        if what == "full":
            return self.count, self.total
        if what == "ink":
            return self.ink_count, self.ink_total
        return self.count - self.ink_count, self.total - self.ink_total

    def _pixels(self, shrunk: NDArray[Any]) -> Array:
        """Return middles in pixels of the stack; a shrunk pixel is ``shrink`` of them wide."""
        found: Array = np.asarray(shrunk * self.shrink + (self.shrink - 1) / 2, np.float64)
        return found


def without_ends(curve: Array) -> Array:
    """Return a curve whose first and last value go on where it has none; zeros for none at all."""
    layers, known = np.arange(len(curve)), ~np.isnan(curve)
    if not known.any():
        return np.zeros(len(curve))
    found: Array = np.interp(layers, layers[known], curve[known])
    return found


def edges_of(grid: TileGrid) -> tuple[tuple[int, ...], ...]:
    """Return where tiles begin or end along each axis, the borders of the image among them."""
    return tuple(
        tuple(sorted({0, length, *(min(max(a, 0), length) for s in starts for a in (s, s + tile))}))
        for starts, tile, length in zip(grid.starts, grid.tile, grid.shape, strict=True)
    )


def measure(stack: Stack, *, tile: int, step: int, shrink: int) -> Curves:
    """Read a fragment once and return the sums of its cells.

    Every ``shrink``-th pixel along rows and columns counts, as on a copy shrunk by taking the
    nearest pixel whose sides are divided without rest (INK-2).

    Args:
        stack: Opened.
        tile: Side of a tile in shrunk pixels.
        step: From one tile to the next; the last one is moved back to the border.
        shrink: 1 for none.

    Raises:
        DataError: it cannot be read, is smaller than ``shrink``, or has no papyrus.
    """
    from lamina.data.flatten.kernels import add_cells, count_cells

    volume = stack.volume
    depth, *sides = volume.shape
    shape = tuple(side // shrink for side in sides)
    if min(shape) < 1:
        raise DataError(f"{volume.name}: {sides} pixels are too few to be shrunk {shrink} times")
    grid = TileGrid(shape, (tile, tile), (step, step), centred=False)
    edges = edges_of(grid)
    cells = [_cells(side, one, shrink) for side, one in zip(sides, edges, strict=True)]
    size = tuple(len(edge) - 1 for edge in edges)
    count, ink_count = np.zeros(size, np.int64), np.zeros(size, np.int64)
    total, ink_total = np.zeros((*size, depth)), np.zeros((*size, depth))
    bands = list(_bands(volume))
    with Bar(f"measuring layers of {stack.id}", len(bands)) as bar:
        for rows, slabs in bands:
            plane = Region((rows[0], 0), (rows[1], sides[1]))
            valid, ink = _above_zero(stack.mask, plane, 1), _above_zero(stack.ink, plane, 0)
            ink &= valid
            here = cells[0][rows[0] : rows[1]]
            count_cells(valid, here, cells[1], count)
            count_cells(ink, here, cells[1], ink_count)
            for low, high in slabs:
                part = volume.read(Region((low, *plane.start), (high, *plane.stop)))[0]
                add_cells(
                    np.ascontiguousarray(part),
                    valid,
                    ink,
                    here,
                    cells[1],
                    total[:, :, low:high],
                    ink_total[:, :, low:high],
                )
            bar.advance()
    if not count.any():
        raise DataError(
            f"{volume.name}: the mask of {stack.id} is empty; there is nothing to align"
        )
    if not np.isfinite(total).all():
        raise DataError(f"{volume.name}: holds NaN or infinity; replace them")
    return Curves(grid, shrink, count, total, ink_count, ink_total)


def _bands(volume: Volume) -> Iterator[tuple[tuple[int, int], list[tuple[int, int]]]]:
    """Yield bands of rows, each with the slabs of layers it is read in: whole boxes of the file."""
    depth, height, width = volume.shape
    thick, tall, _ = (min(a, n) for a, n in zip(chunk_shape_of(volume), volume.shape, strict=True))
    rows = min(tall * max(PIECE // (depth * width * tall), 1), height)
    layers = min(thick * max(PIECE // (rows * width * thick), 1), depth)
    for top in range(0, height, rows):
        yield (
            (top, min(top + rows, height)),
            [(low, min(low + layers, depth)) for low in range(0, depth, layers)],
        )


def _cells(side: int, edges: tuple[int, ...], shrink: int) -> NDArray[np.int32]:
    """Return of each pixel of an axis the cell it counts for, -1 where it does not count."""
    found = np.full(side, -1, np.int32)
    at = np.arange(edges[-1])
    found[at * shrink] = np.searchsorted(edges, at, "right") - 1
    return found


def _above_zero(volume: Volume | None, region: Region, otherwise: int) -> NDArray[np.uint8]:
    if volume is None:
        return np.full(region.shape, otherwise, np.uint8)
    return np.asarray(volume.read(region)[0] > 0).astype(np.uint8)


def _sums(cells: Array, spans: list[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> Array:
    """Return sums over rectangles of cells (Y, X, ...), as (ny, nx, ...)."""
    (top, bottom), (left, right) = spans
    down = np.concatenate([np.zeros_like(cells[:1]), cells.cumsum(0)])
    lines = down[bottom] - down[top]
    across = np.concatenate([np.zeros_like(lines[:, :1]), lines.cumsum(1)], axis=1)
    found: Array = across[:, right] - across[:, left]
    return found


def _mean_of_moved(curves: Array, weight: Array, shift: Array, scale: Array) -> Array:
    """Return the weighted mean over curves (n, Z) of those that have each layer."""
    depth = curves.shape[1]
    place = (np.arange(depth) - shift[:, None]) / scale[:, None]
    there = (place >= 0) & (place <= depth - 1)
    low = np.floor(place).clip(0, depth - 2).astype(np.intp)
    before = np.take_along_axis(curves, low, 1)
    value = before + (place - low) * (np.take_along_axis(curves, low + 1, 1) - before)
    counts = there * weight[:, None]
    known = counts.sum(0) > 0
    found = np.full(depth, np.nan)
    np.divide((counts * value).sum(0), counts.sum(0), out=found, where=known)
    return found
