"""Values between the voxels of a block, at any places, and smooth fields from few values.

Compiled: on one core a fifth of the time of ``scipy.ndimage.map_coordinates``, and a third of that
of torch's ``grid_sample``. ``benchmarks/blocks.py`` compares whole samples.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def linear(block: NDArray[Any], planes: Floats, rows: Floats, columns: Floats) -> Floats:
    """Return what ``block`` (d, h, w) has at places of one shape, float32 of that shape.

    Linear along each axis; beyond the outermost voxels their values go on.
    """
    return _sampled(_linear, block, (planes, rows, columns), np.dtype(np.float32))


def nearest(block: NDArray[Any], planes: Floats, rows: Floats, columns: Floats) -> NDArray[Any]:
    """Return the values of the nearest voxels of ``block``, in its type."""
    return _sampled(_nearest, block, (planes, rows, columns), block.dtype)


def spline(knots: Floats, places: Floats, step: float) -> Floats:
    """Return a cubic B-spline along the last axis.

    Args:
        knots: (..., k), ``step`` apart; the spline at place 0 is made of the first four.
        places: (n,), from 0; those beyond are moved to the nearest end.
        step: Distance of two knots, in the units of ``places``.

    Returns:
        (..., n) float32.
    """
    at = np.clip(places / np.float32(step), 0, knots.shape[-1] - 3)
    first = np.minimum(at.astype(np.int64), knots.shape[-1] - 4)
    t = at - first
    weights = np.stack(
        [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1
    )
    rows = np.ascontiguousarray(knots, np.float32).reshape(-1, knots.shape[-1])
    out = np.empty((len(rows), len(places)), np.float32)
    _spline(rows, first, (weights / 6).astype(np.float32), out)
    return out.reshape(*knots.shape[:-1], len(places))


def _sampled(
    kernel: Any, block: NDArray[Any], places: tuple[Floats, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    shape = places[0].shape
    out = np.empty(shape, dtype)
    stored = np.ascontiguousarray(block)
    flat = [np.ascontiguousarray(one, np.float32).reshape(-1) for one in places]
    kernel(stored.reshape(-1), stored.shape, *flat, out.reshape(-1))
    return out


def _linear_at(values: Any, shape: Any, planes: Any, rows: Any, columns: Any, out: Any) -> None:
    depth, height, width = shape
    plane, row = np.uint32(height * width), np.uint32(width)
    zero, none, one = np.float32(0), np.uint32(0), np.uint32(1)
    last = np.float32(depth - 1), np.float32(height - 1), np.float32(width - 1)
    for i in range(len(out)):
        z = min(max(planes[i], zero), last[0])
        y = min(max(rows[i], zero), last[1])
        x = min(max(columns[i], zero), last[2])
        top, upper, left = np.int32(z), np.int32(y), np.int32(x)
        at_z, at_y, at_x = z - np.float32(top), y - np.float32(upper), x - np.float32(left)
        here = np.uint32(top) * plane + np.uint32(upper) * row + np.uint32(left)
        right = one if at_x > zero else none  # the last voxel has no next one
        down = row if at_y > zero else none
        below = here + (plane if at_z > zero else none)
        a, b = np.float32(values[here]), np.float32(values[here + right])
        c, d = np.float32(values[here + down]), np.float32(values[here + down + right])
        e, f = np.float32(values[below]), np.float32(values[below + right])
        g, h = np.float32(values[below + down]), np.float32(values[below + down + right])
        a += at_x * (b - a)
        c += at_x * (d - c)
        e += at_x * (f - e)
        g += at_x * (h - g)
        a += at_y * (c - a)
        e += at_y * (g - e)
        out[i] = a + at_z * (e - a)


def _nearest_at(values: Any, shape: Any, planes: Any, rows: Any, columns: Any, out: Any) -> None:
    depth, height, width = shape
    plane, row = np.uint32(height * width), np.uint32(width)
    zero, half = np.float32(0), np.float32(0.5)
    last = np.float32(depth - 1), np.float32(height - 1), np.float32(width - 1)
    for i in range(len(out)):
        z = np.int32(min(max(planes[i], zero), last[0]) + half)
        y = np.int32(min(max(rows[i], zero), last[1]) + half)
        x = np.int32(min(max(columns[i], zero), last[2]) + half)
        out[i] = values[np.uint32(z) * plane + np.uint32(y) * row + np.uint32(x)]


def _spline_along(knots: Any, first: Any, weights: Any, out: Any) -> None:
    for row in range(len(out)):
        for i in range(len(first)):
            k = first[i]
            out[row, i] = (
                weights[i, 0] * knots[row, k]
                + weights[i, 1] * knots[row, k + 1]
                + weights[i, 2] * knots[row, k + 2]
                + weights[i, 3] * knots[row, k + 3]
            )


_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")
_linear: Any = _compile(_linear_at)
_nearest: Any = _compile(_nearest_at)
_spline: Any = _compile(_spline_along)
