"""Compiled inner loops of moving columns along the depth, a run of equal layers at a time.

Where a shift changes smoothly from column to column, neighbouring columns lie between the same two
layers. Such a run is interpolated along contiguous memory, as vector code; only the ends of runs
are looked for one by one. A map that is not smooth has short runs: slower, and as right.

Numba takes long to import, so that this module is imported where layers are moved.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")

_HALF = np.float32(0.5)


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
