"""Answers of overlapping tiles added into one array, with weights that already sum to 1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.geometry.tiling.window import Window, normalised

KEPT = 8
"""Windows of a tile's size that are held."""


class Weights:
    """The windows of a lattice's tiles: outer products that sum to 1 at every pixel.

    Images of one shape share them, such as the slices of a volume.
    """

    def __init__(self, grid: TileGrid, window: Window, device: torch.device) -> None:
        """Divide the windows of all tiles by their sum."""
        weights = normalised(window, grid)
        self._axes = [torch.from_numpy(axis).to(device) for axis in weights]
        # Most tiles of a lattice have the same weights; they are named alike here.
        self._alike = [_numbered([row.tobytes() for row in axis]) for axis in weights]
        self._windows: dict[tuple[tuple[int, ...], float], Tensor] = {}

    def of(self, places: Sequence[int], share: float) -> Tensor:
        """Return the weights (*tile) of a tile; a row of the lattice needs few that differ.

        Args:
            places: Of the tile among those along each axis.
            share: A factor of all weights.
        """
        alike = tuple(axis[place] for axis, place in zip(self._alike, places, strict=True))
        name = (alike, share)
        tile_weights = self._windows.get(name)
        if tile_weights is None:
            if len(self._windows) == KEPT:
                self._windows.clear()
            first, *others = (axis[place] for axis, place in zip(self._axes, places, strict=True))
            tile_weights = first if share == 1 else first * share
            for along in others:
                tile_weights = tile_weights[..., None] * along
            self._windows[name] = tile_weights
        return tile_weights


def _numbered(rows: Sequence[bytes]) -> list[int]:
    """Return a number for each row; equal rows have the same."""
    known: dict[bytes, int] = {}
    return [known.setdefault(row, len(known)) for row in rows]


class Sum:
    """A weighted sum of tiles over one image or volume, or over some of its rows or planes.

    On a CPU ``values`` is the memory of the array that is returned, once it is asked for; elsewhere
    it lies on the device until ``result``.
    """

    def __init__(
        self,
        grid: TileGrid,
        window: Window,
        outputs: int,
        *,
        device: torch.device,
        out: NDArray[np.float32] | None = None,
        weights: Weights | None = None,
        rows: range | None = None,
        across: Region | None = None,
    ) -> None:
        """Begin at 0.

        Args:
            grid: The lattice of tiles.
            window: How tiles fade into one another.
            outputs: K of the answer.
            device: Where tiles come from.
            out: A float32 array (K, rows, columns), or (K, planes, rows, columns); None: a new one.
            weights: Of the same lattice, window and device; None: they are made.
            rows: The rows of the image, or planes along the first axis of the volume, that are
                held; they may go beyond its end. None: all.
            across: What is held of the axes after the first; None: all.
        """
        held = range(grid.shape[0]) if rows is None else rows
        self._across = Region.whole(grid.shape[1:]) if across is None else across
        shape = (outputs, len(held), *self._across.shape)
        self._out = np.empty(shape, np.float32) if out is None else out
        if self._out.shape != shape or self._out.dtype != np.float32:
            raise ValueError(
                f"out is {self._out.dtype} {self._out.shape}; the answer is float32 {shape}"
            )
        values = torch.from_numpy(self._out)
        self._values = values if device.type == "cpu" else torch.empty(shape, device=device)
        self._blank = True  # nothing is added yet, and what is held is not yet 0
        self._weights = Weights(grid, window, device) if weights is None else weights
        self._grid, self._first = grid, held.start

    @property
    def values(self) -> Tensor:
        """The sum so far."""
        if self._blank:
            self._values.zero_()
            self._blank = False
        return self._values

    def add(self, number: int, answer: Tensor, share: float = 1.0) -> None:
        """Add the answer (K, *tile) of the tile with that number in the lattice, times ``share``.

        What overhangs the image, or lies before the rows or beside the columns that are held, is
        left out. ``answer`` is not changed.
        """
        places = self._grid.places(number)
        window = self._weights.of(places, share)
        start = tuple(axis[place] for axis, place in zip(self._grid.starts, places, strict=True))
        corner = (self._first, *self._across.start)
        alone = self._blank and answer.shape == self._values.shape
        if alone and not any((*start, *corner)):
            self._blank = False  # one tile covers all: 0 + answer * window, in one pass
            torch.addcmul(answer.new_zeros(()), answer, window, out=self._values)
            return
        tile = Region(start, tuple(a + n for a, n in zip(start, answer.shape[1:], strict=True)))
        part = tile.clip_to(Region(corner, (self._grid.shape[0], *self._across.stop)))
        if 0 in part.shape:
            return
        if part != tile:
            inside = part.shift(tuple(-a for a in start)).slices
            answer, window = answer[:, *inside], window[inside]
        held = part.shift(tuple(-a for a in corner)).slices
        self.values[:, *held].addcmul_(answer, window)

    def take(self, stop: int) -> Tensor:
        """Return the rows (K, n, *columns) from the first held up to ``stop``, and let them go.

        As many rows after those held come in their place, at 0.
        """
        count = stop - self._first
        taken, left = self.values[:, :count].clone(), self.values.shape[1] - count
        for first in range(0, left, count):  # no more memory than what is taken
            some = min(count, left - first)
            self.values[:, first : first + some] = self.values[:, first + count :][:, :some]
        self.values[:, left:].zero_()
        self._first = stop
        return taken

    def result(self) -> NDArray[np.float32]:
        """Return the array, (K, *S) float32."""
        values = self.values
        if values.device.type != "cpu":
            self._out[...] = values.cpu().numpy()
        return self._out
