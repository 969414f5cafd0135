"""Moving and stretching columns of a stack along its depth, a run of equal layers at a time.

Where a shift changes smoothly from column to column, neighbouring columns lie between the same two
layers. Such a run is interpolated along contiguous memory, as vector code; only the ends of runs
are looked for one by one. A map that is not smooth has short runs: slower, and as right.

Letters: Z layers of the whole stack, n those that were read, m those wanted, h rows, w columns.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

MARGIN = 2
"""Layers read on either side beyond what interpolation needs, as INK-8 has it."""

_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

_HALF = np.float32(0.5)


def moved_type(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of moved layers: whole numbers stay what they are, others are float32."""
    return stored if stored.kind in "ui" else np.dtype(np.float32)


def needed_layers(shift: Map, scale: Map, start: int, stop: int, depth: int) -> tuple[int, int]:
    """Return the layers, first and stop, that wanted layers are interpolated from (INK-8).

    Args:
        shift: (h, w) layers.
        scale: (h, w) above 0.
        start: First layer wanted.
        stop: The one after the last.
        depth: Z.

    Returns:
        floor(min((start - shift) / scale) - 2) to ceil(max((stop - shift) / scale) + 2) within 0
        and Z; equal where nothing of the stack is needed.
    """
    low = float(((np.float32(start) - shift) / scale).min())
    high = float(((np.float32(stop) - shift) / scale).max())
    first = min(max(math.floor(low - MARGIN), 0), depth)
    return first, min(max(math.ceil(high + MARGIN), first), depth)


def move_layers(
    stack: NDArray[Any],
    shift: Map,
    scale: Map,
    start: int,
    stop: int,
    *,
    first: int = 0,
    depth: int | None = None,
) -> NDArray[Any]:
    """Return layers of a stack whose columns are shifted and scaled along the depth (INK-8).

    Layer z of a column is its value at (z - shift) / scale, linear between two layers, 0 outside
    of 0 to Z - 1; whole numbers are rounded, halves up. Each pixel follows its own shift and
    scale (INK-9). Places are float64, so that whole numbers are the nearest to the exact ones but
    for a thousandth.

    Args:
        stack: (n, h, w), the layers ``first`` to ``first + n``; at least those of
            ``needed_layers``.
        shift: (h, w) float32, in layers: the column's content goes this far down.
        scale: (h, w) float32 above 0: above 1 the content gets thicker.
        start: First layer wanted.
        stop: The one after the last.
        first: Which layer ``stack[0]`` is.
        depth: Z; None: ``first + n``.

    Returns:
        (stop - start, h, w) in ``moved_type`` of the stack's.

    Raises:
        ValueError: the shapes differ.
    """
    if not stack.shape[1:] == shift.shape == scale.shape:
        raise ValueError(f"stack {stack.shape}, shift {shift.shape}, scale {scale.shape} differ")
    kind = moved_type(stack.dtype)
    out = np.empty((stop - start, *stack.shape[1:]), kind)
    if kind.kind == "f":
        stack = stack.astype(np.float32, copy=False)
    total = first + len(stack) if depth is None else depth
    move_runs(np.ascontiguousarray(stack), shift, scale, start, first, total, kind.kind != "f", out)
    return out


def _interpolate(low: Any, high: Any, share: Any, whole: bool, out: Any) -> None:
    """Fill a run between two layers, ``share`` of the way to the higher one."""
    if whole:
        for i in range(out.size):
            a = np.float32(low[i])
            out[i] = np.floor(a + share[i] * (np.float32(high[i]) - a) + _HALF)
    else:
        for i in range(out.size):
            a = np.float32(low[i])
            out[i] = a + share[i] * (np.float32(high[i]) - a)


interpolate: Any = _compile(_interpolate)


def _at_the_end(last: Any, share: Any, out: Any) -> None:
    """Fill a run that begins at the last layer: its values where a place is just there, else 0."""
    for i in range(out.size):
        out[i] = last[i] if share[i] == 0 else 0


at_the_end: Any = _compile(_at_the_end)


def _find_places(z: float, unit: Any, offset: Any, index: Any, share: Any) -> None:
    """Fill the layer below z * unit + offset of each column, and the share of the next one."""
    for x in range(unit.size):
        place = z * unit[x] + offset[x]
        below = np.floor(place)
        index[x] = np.int32(below)
        share[x] = np.float32(place - below)


find_places: Any = _compile(_find_places)


def _move_runs(
    stack: Any, shift: Any, scale: Any, start: int, first: int, depth: int, whole: bool, out: Any
) -> None:
    """Fill ``out`` (m, h, w); ``whole`` where its numbers are to be rounded."""
    layers, rows, columns = stack.shape
    unit, offset = np.empty(columns, np.float64), np.empty(columns, np.float64)
    index, share = np.empty(columns, np.int32), np.empty(columns, np.float32)
    for y in range(rows):
        for x in range(columns):
            unit[x] = 1.0 / scale[y, x]
            offset[x] = -shift[y, x] * unit[x]
        for k in range(out.shape[0]):
            find_places(float(start + k), unit, offset, index, share)
            x = 0
            while x < columns:
                at, stop = index[x], x + 1
                while stop < columns and index[stop] == at:
                    stop += 1
                row, run, here = out[k, y, x:stop], share[x:stop], at - first
                if 0 <= at < depth - 1 and 0 <= here < layers - 1:
                    interpolate(stack[here, y, x:stop], stack[here + 1, y, x:stop], run, whole, row)
                elif at == depth - 1 and 0 <= here < layers:
                    at_the_end(stack[here, y, x:stop], run, row)
                else:
                    row[:] = 0
                x = stop


move_runs: Any = _compile(_move_runs)
