"""The warps of a recipe as one map.

They compose into one map from output to source. The map says which window of the image is needed,
so that a turned picture shows its real surroundings; image, target and valid area are then
resampled by the same map, once. What moves in a plane only, all planes of a block alike, is
resampled plane by plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lamina.data.network_input.warps.blocks import Planes, voxels
from lamina.data.network_input.warps.planes import in_plane
from lamina.data.transforms import Warp, Where
from lamina.geometry.region import Region


class Resampling(Protocol):
    """How the pixels of a window become those of the output."""

    @property
    def window(self) -> Region:
        """What has to be read; it may leave the image."""
        ...

    def show(self, pixels: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
        """Return (C, H, W) from the window's pixels (C, h, w); of blocks (C, D, H, W).

        ``smooth`` interpolates linearly (uint8, uint16 and float32 only), else the nearest
        pixel is taken, whose values stay as they are.
        """
        ...


def look(
    region: Region,
    picked: Sequence[tuple[Warp, Any]],
    sides: tuple[int, ...] | None = None,
) -> Resampling:
    """Return how ``region`` is seen through the warps, given in recipe order.

    ``sides`` are the rows and columns around the region's centre that become its own, before all
    warps; None: no others than its own.
    """
    where = _grid(region.shape)
    for warp, what in reversed(picked):
        where = warp.move(where, what)
    if sides is not None and sides != region.shape:
        rows, columns = (
            axis * np.float32(side / own)
            for axis, side, own in zip(where[:2], sides, region.shape, strict=True)
        )
        where = Where(rows, columns)
    centre = [(a + b - 1) / 2 for a, b in zip(region.start, region.stop, strict=True)]
    if where.planes is None:
        return in_plane(where.rows, where.columns, centre)
    alike = where.rows.shape[0] == where.columns.shape[0] == 1
    if alike and where.planes.shape[1:] == (1, 1):
        moved = in_plane(where.rows[0], where.columns[0], centre[1:])
        return Planes.moved(where.planes.ravel(), centre[0], moved)
    return voxels((where.planes, where.rows, where.columns), centre)


@lru_cache(maxsize=8)
def _grid(size: tuple[int, ...]) -> Where:
    """Return every pixel's own place; each axis broadcasts to the region, and is read-only."""
    axes = np.ix_(*(np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2) for n in size))
    for axis in axes:
        axis.flags.writeable = False
    return Where(axes[-2], axes[-1], axes[0] if len(size) == 3 else None)
