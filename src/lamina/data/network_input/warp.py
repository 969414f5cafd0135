"""All movement of pixels in one step.

The warps of a recipe compose into one map from output to source. The map says which window of
the image is needed, so that a turned picture shows its real surroundings; image, target and
valid area are then resampled by the same map, once. A map of whole steps (flips, quarter turns,
or nothing at all) only reorders pixels and interpolates nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.transforms import Warp, Where
from lamina.geometry.region import Region


class Resampling(Protocol):
    """How the pixels of a window become those of the output."""

    @property
    def window(self) -> Region:
        """What has to be read; it may leave the image."""
        ...

    def show(self, pixels: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
        """Return (C, H, W) from the window's pixels (C, h, w).

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
            for axis, side, own in zip(where, sides, region.shape, strict=True)
        )
        where = Where(rows, columns)
    centre = [(a + b - 1) / 2 for a, b in zip(region.start, region.stop, strict=True)]
    return _slices(where, centre) or _map(where, centre)


@dataclass(frozen=True)
class PixelOrder:
    """Whole pixels in whole steps: mirror, then swap the axes where ``swap``."""

    window: Region
    steps: tuple[int, int]
    swap: bool

    def show(self, pixels: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
        """Return the pixels in their new order, a view of ``pixels`` where that is faster."""
        if self.steps[1] < 0:  # numpy walks rows backwards four times slower than OpenCV
            code = 1 if self.steps[0] > 0 else -1
            seen = np.empty(pixels.shape, pixels.dtype)
            for plane, into in zip(pixels, seen, strict=True):
                cv2.flip(plane, code, dst=into)
        else:
            seen = pixels[:, :: self.steps[0]]
        return seen.swapaxes(1, 2) if self.swap else seen


@dataclass(frozen=True)
class Map:
    """Any movement: the source row and column in the window of each output pixel, (H, W)."""

    window: Region
    rows: NDArray[np.float32]
    columns: NDArray[np.float32]

    def show(self, pixels: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
        """Return the resampled pixels, channel by channel (faster than interleaving them)."""
        how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
        out = np.empty((len(pixels), *self.rows.shape), pixels.dtype)
        for plane, into in zip(pixels, out, strict=True):
            cv2.remap(
                np.ascontiguousarray(plane),
                self.columns,
                self.rows,
                how,
                dst=into,
                borderMode=cv2.BORDER_REPLICATE,
            )
        return out


def _grid(size: tuple[int, ...]) -> Where:
    rows, columns = (np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2) for n in size)
    return Where(rows[:, None], columns[None, :])


def _slices(where: Where, centre: list[float]) -> PixelOrder | None:
    """Return the map as slices, or None where it is anything else."""
    rows, columns = where
    if rows.shape[1] == columns.shape[0] == 1:
        swap = False
    elif rows.shape[0] == columns.shape[1] == 1:
        swap = True
    else:
        return None
    ends = [_run(axis.ravel(), c) for axis, c in zip(where, centre, strict=True)]
    whole = [end for end in ends if end is not None]
    if len(whole) != 2:
        return None
    (top, bottom, down), (left, right, across) = whole
    return PixelOrder(Region((top, left), (bottom, right)), (down, across), swap)


def _run(places: NDArray[np.float32], centre: float) -> tuple[int, int, int] | None:
    """Return start, stop and direction of consecutive whole numbers, or None."""
    first, last = float(places[0]) + centre, float(places[-1]) + centre
    step = -1 if last < first else 1
    if first != round(first) or (np.diff(places) != step).any():
        return None
    return round(min(first, last)), round(max(first, last)) + 1, step


def _map(where: Where, centre: list[float]) -> Map:
    starts, stops, sources = [], [], []
    size = np.broadcast_shapes(where.rows.shape, where.columns.shape)
    for axis, middle in zip(where, centre, strict=True):
        start = math.floor(float(axis.min()) + middle)
        starts.append(start)
        stops.append(math.ceil(float(axis.max()) + middle) + 1)
        source = axis + np.float32(middle - start)
        sources.append(np.ascontiguousarray(np.broadcast_to(source, size)))
    return Map(Region(tuple(starts), tuple(stops)), sources[0], sources[1])
