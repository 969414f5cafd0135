"""Moving and stretching columns of a stack along its depth.

Letters: Z layers of the whole stack, n those that were read, m those wanted, h rows, w columns.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

MARGIN = 2
"""Layers read on either side beyond what interpolation needs, as INK-8 has it."""


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
    from lamina.geometry.depth.kernels import move_runs

    if not stack.shape[1:] == shift.shape == scale.shape:
        raise ValueError(f"stack {stack.shape}, shift {shift.shape}, scale {scale.shape} differ")
    kind = moved_type(stack.dtype)
    out = np.empty((stop - start, *stack.shape[1:]), kind)
    if kind.kind == "f":
        stack = stack.astype(np.float32, copy=False)
    total = first + len(stack) if depth is None else depth
    move_runs(np.ascontiguousarray(stack), shift, scale, start, first, total, kind.kind != "f", out)
    return out
