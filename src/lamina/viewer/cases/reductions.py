"""Shrinking by whole numbers: by means, or so that nothing thin disappears."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Reduction = Callable[[NDArray[Any], int], NDArray[Any]]
"""Shrinks (N, h, w) by a factor to (N, ceil(h / f), ceil(w / f))."""


def means(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return means of blocks; bytes and uint16 stay what they are, others become float32.

    Blocks at the end that are not whole repeat their last row or column.
    """
    if values.dtype not in (np.uint8, np.uint16, np.float32):
        values = values.astype(np.float32)
    rows, columns = (-(-side // factor) for side in values.shape[1:])
    pad = [(0, rows * factor - values.shape[1]), (0, columns * factor - values.shape[2])]
    if any(after for _, after in pad):
        values = np.pad(values, [(0, 0), *pad], mode="edge")
    size = (columns, rows)
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in values])


def maxima(values: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return the largest value of each block, of the same type; of bool: whether any is true.

    float16 must not hold NaN: it is compared by its bits, which is 20 times as fast.
    """
    plain: NDArray[Any] = values
    if values.dtype == np.float16:
        plain = _ordered(values)
    elif values.dtype == np.bool_:
        plain = values.view(np.uint8)
    for axis in (1, 2):
        plain = _maxima_along(plain, factor, axis)
    return plain.view(values.dtype)


def _ordered(values: NDArray[np.float16]) -> NDArray[np.int16]:
    """Return the bits of numbers that are not negative, in their order; -0.0 comes first."""
    return np.ascontiguousarray(values).view(np.int16)


def _maxima_along(values: NDArray[Any], factor: int, axis: int) -> NDArray[Any]:
    length = values.shape[axis]

    def every(start: int, stop: int) -> tuple[slice, ...]:
        return (*(slice(None),) * axis, slice(start, stop, factor))

    whole = length - length % factor
    result = values[every(0, length)].copy()
    head = result[(*(slice(None),) * axis, slice(0, whole // factor))]
    for n in range(1, factor):
        np.maximum(head, values[every(n, whole)], out=head)
    for n in range(whole + 1, length):  # the last block, which is not whole
        last = (*(slice(None),) * axis, slice(-1, None))
        np.maximum(result[last], values[every(n, n + 1)], out=result[last])
    return result
