"""Blocks of voxels moved in three axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.network_input.warps.planes import Floats, Map, PixelOrder, run, span_of
from lamina.geometry.region import Region


@dataclass(frozen=True)
class Planes:
    """Planes that move along z by themselves, and all alike in their plane."""

    window: Region
    at: Floats
    """(D,): which plane of the window each plane shows; between two, a part of both."""

    step: int
    """1 or -1 where ``at`` is every plane of the window in order or in reverse, else 0."""

    plane: PixelOrder | Map

    @classmethod
    def moved(cls, planes: Floats, middle: float, plane: PixelOrder | Map) -> Planes:
        """Return a movement of ``planes`` (D,) from ``middle`` of the region, and of each plane."""
        whole = run(planes, middle)
        (first, stop), at = (whole[:2], planes) if whole else span_of(planes, middle)
        rows, columns = zip(plane.window.start, plane.window.stop, strict=True)
        starts, stops = zip((first, stop), rows, columns, strict=True)
        return cls(Region(starts, stops), at, whole[2] if whole else 0, plane)

    def show(self, pixels: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
        """Return (C, D, H, W) from the window's voxels (C, d, h, w)."""
        shown = [
            self.plane.show(self._along_depth(channel, smooth=smooth), smooth=smooth)
            for channel in pixels
        ]
        seen = shown[0][None] if len(shown) == 1 else np.stack(shown)
        return seen if seen.dtype == pixels.dtype else as_type(seen, pixels.dtype)

    def _along_depth(self, block: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
        """Return the planes (D, h, w) of a block (d, h, w); between two as float32."""
        if self.step:
            return block[:: self.step]
        at = np.clip(self.at, 0, len(block) - 1)
        if not smooth:
            return block[np.rint(at).astype(np.int64)]
        lower = at.astype(np.int64)
        upper = np.minimum(lower + 1, len(block) - 1)
        share = (at - lower)[:, None, None]
        first = block[lower].astype(np.float32)
        first += share * (block[upper] - first)
        return first


@dataclass(frozen=True)
class Voxels:
    """Any movement: where in the window each voxel of the output comes from, (D, H, W) each."""

    window: Region
    planes: Floats
    rows: Floats
    columns: Floats

    def show(self, pixels: NDArray[Any], *, smooth: bool) -> NDArray[Any]:
        """Return (C, D, H, W) from the window's voxels (C, d, h, w)."""
        from lamina.data.transforms.trilinear import linear, nearest  # compiles on first use

        sample = linear if smooth else nearest
        out = np.empty((len(pixels), *self.planes.shape), pixels.dtype)
        for block, into in zip(pixels, out, strict=True):
            into[...] = as_type(sample(block, self.planes, self.rows, self.columns), out.dtype)
        return out


def voxels(axes: Sequence[Floats], centre: Sequence[float]) -> Voxels:
    """Return a movement of voxels: where they come from along each axis, from ``centre``."""
    found = [span_of(axis, middle) for axis, middle in zip(axes, centre, strict=True)]
    window = Region(tuple(span[0] for span, _ in found), tuple(span[1] for span, _ in found))
    planes, rows, columns = np.broadcast_arrays(*(places for _, places in found))
    return Voxels(window, *(np.ascontiguousarray(one) for one in (planes, rows, columns)))


def as_type(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return values between those of ``dtype`` in it; integers are rounded."""
    if values.dtype == dtype:
        return values
    if dtype.kind in "iu":
        values = np.rint(values, out=values)
    return values.astype(dtype)
