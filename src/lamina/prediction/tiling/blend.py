"""Answers of overlapping tiles added into one array, with weights that already sum to 1."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.geometry.tiling.grid import TileGrid
from lamina.geometry.tiling.window import Window, normalised

_KEPT = 8  # windows of a tile's size


class Weights:
    """The windows of a lattice's tiles, which sum to 1 at every pixel.

    Images of one shape share them, such as the slices of a volume.
    """

    def __init__(self, grid: TileGrid, window: Window, device: torch.device) -> None:
        """Divide the windows of all tiles by their sum."""
        weights = normalised(window, grid)
        self._rows, self._columns = (torch.from_numpy(axis).to(device) for axis in weights)
        # Most tiles of a lattice have the same weights; they are named alike here.
        self._alike = [
            np.unique(axis, axis=0, return_inverse=True)[1].ravel().tolist() for axis in weights
        ]
        self._windows: dict[tuple[int, int, float], Tensor] = {}

    def of(self, row: int, column: int, share: float) -> Tensor:
        """Return the weights (h, w) of a tile; a row of the lattice needs few that differ."""
        name = (self._alike[0][row], self._alike[1][column], share)
        tile_weights = self._windows.get(name)
        if tile_weights is None:
            if len(self._windows) == _KEPT:
                self._windows.clear()
            rows = self._rows[row] if share == 1 else self._rows[row] * share
            tile_weights = self._windows[name] = torch.outer(rows, self._columns[column])
        return tile_weights


class Sum:
    """A weighted sum of tiles over one image, or over some of its rows.

    On a CPU ``values`` is the memory of the array that is returned; elsewhere it lies on the
    device until ``result``.
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
    ) -> None:
        """Begin at 0.

        Args:
            grid: The lattice of tiles.
            window: How tiles fade into one another.
            outputs: K of the answer.
            device: Where tiles come from.
            out: A float32 array (K, rows, columns); None: a new one.
            weights: Of the same lattice, window and device; None: they are made.
            rows: The rows of the image that are held; they may go beyond its end. None: all.
        """
        held = range(grid.shape[0]) if rows is None else rows
        shape = (outputs, len(held), grid.shape[1])
        self._out = np.empty(shape, np.float32) if out is None else out
        if self._out.shape != shape or self._out.dtype != np.float32:
            raise ValueError(
                f"out is {self._out.dtype} {self._out.shape}; the answer is float32 {shape}"
            )
        values = torch.from_numpy(self._out)
        self.values = values if device.type == "cpu" else torch.empty(shape, device=device)
        self.values.zero_()
        self._weights = Weights(grid, window, device) if weights is None else weights
        self._grid, self._first = grid, held.start

    def add(self, number: int, answer: Tensor, share: float = 1.0) -> None:
        """Add the answer (K, h, w) of the tile with that number in the lattice, times ``share``.

        What overhangs the image, or lies above the rows that are held, is left out. ``answer`` is
        not changed.
        """
        tops, lefts = self._grid.starts
        row, column = divmod(number, len(lefts))
        window = self._weights.of(row, column, share)
        top, left = tops[row], lefts[column]
        height, width = self._grid.shape
        first, stop = max(top, self._first), min(top + answer.shape[1], height)
        before, after = max(left, 0), min(left + answer.shape[2], width)
        if first >= stop:
            return
        if (stop - first, after - before) != answer.shape[1:]:
            inside = (slice(first - top, stop - top), slice(before - left, after - left))
            answer, window = answer[:, *inside], window[inside]
        rows = slice(first - self._first, stop - self._first)
        self.values[:, rows, before:after].addcmul_(answer, window)

    def take(self, stop: int) -> Tensor:
        """Return the rows (K, n, columns) from the first held up to ``stop``, and let them go.

        As many rows after those held come in their place, at 0.
        """
        count = stop - self._first
        taken, left = self.values[:, :count].clone(), self.values[:, count:].clone()
        self.values[:, : left.shape[1]] = left
        self.values[:, left.shape[1] :].zero_()
        self._first = stop
        return taken

    def result(self) -> NDArray[np.float32]:
        """Return the array, (K, H, W) float32."""
        if self.values.device.type != "cpu":
            self._out[...] = self.values.cpu().numpy()
        return self._out
