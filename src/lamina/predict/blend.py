"""Answers of overlapping tiles added into one array, with weights that already sum to 1."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.geometry.tiles import TileGrid
from lamina.geometry.window import Window, normalised


class Sum:
    """A weighted sum of tiles over one image.

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
    ) -> None:
        """Begin at 0; ``out`` is a float32 array (outputs, *grid.shape), None: a new one."""
        shape = (outputs, *grid.shape)
        self._out = np.empty(shape, np.float32) if out is None else out
        if self._out.shape != shape or self._out.dtype != np.float32:
            raise ValueError(
                f"out is {self._out.dtype} {self._out.shape}; the answer is float32 {shape}"
            )
        values = torch.from_numpy(self._out)
        self.values = values if device.type == "cpu" else torch.empty(shape, device=device)
        self.values.zero_()
        weights = normalised(window, grid)
        self._rows, self._columns = (torch.from_numpy(axis).to(device) for axis in weights)
        # Most tiles of a lattice have the same weights; they are named alike here.
        self._alike = [np.unique(axis, axis=0, return_inverse=True)[1] for axis in weights]
        self._regions = tuple(grid)
        self._window = torch.empty(grid.tile, device=device)
        self._made: tuple[int, int, float] | None = None

    def add(self, number: int, answer: Tensor, share: float = 1.0) -> None:
        """Add the answer (K, h, w) of the tile with that number in the lattice, times ``share``.

        What overhangs the image is left out. ``answer`` is not changed.
        """
        row, column = divmod(number, len(self._columns))
        wanted = (int(self._alike[0][row]), int(self._alike[1][column]), share)
        if self._made != wanted:
            rows = self._rows[row] if share == 1 else self._rows[row] * share
            torch.outer(rows, self._columns[column], out=self._window)
            self._made = wanted
        inside = self._regions[number].clip(tuple(self.values.shape[1:]))
        height, width = inside.shape
        top, left = inside.start
        place = self.values[:, top : top + height, left : left + width]
        place.addcmul_(answer[:, :height, :width], self._window[:height, :width])

    def result(self) -> NDArray[np.float32]:
        """Return the array, (K, H, W) float32."""
        if self.values.device.type != "cpu":
            self._out[...] = self.values.cpu().numpy()
        return self._out
