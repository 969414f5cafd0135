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
        weights = [torch.from_numpy(axis).to(device) for axis in normalised(window, grid)]
        self._rows, self._columns = weights
        self._regions = tuple(grid)
        self._scratch = torch.empty((outputs, *grid.tile), device=device)

    def add(self, number: int, answer: Tensor, share: float = 1.0) -> None:
        """Add the answer (K, h, w) of the tile with that number in the lattice, times ``share``.

        What overhangs the image is left out. ``answer`` is not changed.
        """
        row, column = divmod(number, len(self._columns))
        inside = self._regions[number].clip(tuple(self.values.shape[1:]))
        height, width = inside.shape
        weighted = self._scratch[:, :height, :width]
        rows = self._rows[row, :height, None]
        torch.mul(answer[:, :height, :width], rows if share == 1 else rows * share, out=weighted)
        top, left = inside.start
        place = self.values[:, top : top + height, left : left + width]
        place.addcmul_(weighted, self._columns[column, :width])

    def result(self) -> NDArray[np.float32]:
        """Return the array, (K, H, W) float32."""
        if self.values.device.type != "cpu":
            self._out[...] = self.values.cpu().numpy()
        return self._out
