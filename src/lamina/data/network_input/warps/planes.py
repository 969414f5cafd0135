"""Images, and the planes of a block, moved in two axes.

A map of whole steps (flips, quarter turns, or nothing at all) only reorders pixels and interpolates
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region

Floats = NDArray[np.float32]


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
    rows: Floats
    columns: Floats

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


def in_plane(rows: Floats, columns: Floats, centre: Sequence[float]) -> PixelOrder | Map:
    """Return a movement in two axes: where pixels come from, from ``centre`` of the region.

    Args:
        rows: Broadcasts with ``columns`` to (H, W), or both to (W, H) where they are swapped.
        columns: The same.
        centre: Of the region, in pixels of the image.
    """
    return _slices(rows, columns, centre) or _map(rows, columns, centre)


def _slices(rows: Floats, columns: Floats, centre: Sequence[float]) -> PixelOrder | None:
    """Return the map as slices, or None where it is anything else."""
    if rows.shape[1] == columns.shape[0] == 1:
        swap = False
    elif rows.shape[0] == columns.shape[1] == 1:
        swap = True
    else:
        return None
    ends = [run(axis.ravel(), c) for axis, c in zip((rows, columns), centre, strict=True)]
    whole = [end for end in ends if end is not None]
    if len(whole) != 2:
        return None
    (top, bottom, down), (left, right, across) = whole
    return PixelOrder(Region((top, left), (bottom, right)), (down, across), swap)


def run(places: Floats, centre: float) -> tuple[int, int, int] | None:
    """Return start, stop and direction of consecutive whole numbers, or None."""
    first, last = float(places[0]) + centre, float(places[-1]) + centre
    step = -1 if last < first else 1
    if first != round(first) or (places[1:] - places[:-1] != step).any():
        return None
    return round(min(first, last)), round(max(first, last)) + 1, step


def _map(rows: Floats, columns: Floats, centre: Sequence[float]) -> Map:
    spans, sources = [], []
    size = np.broadcast_shapes(rows.shape, columns.shape)
    for axis, middle in zip((rows, columns), centre, strict=True):
        span, source = span_of(axis, middle)
        spans.append(span)
        sources.append(np.ascontiguousarray(np.broadcast_to(source, size)))
    window = Region(tuple(a for a, _ in spans), tuple(b for _, b in spans))
    return Map(window, sources[0], sources[1])


def span_of(places: Floats, middle: float) -> tuple[tuple[int, int], Floats]:
    """Return which pixels along an axis are needed, from and up to, and the places among them."""
    start = math.floor(float(places.min()) + middle)
    stop = math.ceil(float(places.max()) + middle) + 1
    return (start, stop), places + np.float32(middle - start)
