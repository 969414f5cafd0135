"""Changes of values, one by one: all tables of a recipe and the normalisation in one pass.

Tables work on fractions of a range. For uint8 and uint16 it is that of the type, so that 1 is 255
or 65535; the changes are computed for each possible value once and looked up. Every other type has
no range of its own: there 0 and 1 stand for the minimum and maximum value of the patch, and the
changes are computed for every pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.transforms import Table

Picked = Sequence[tuple[Table, Any]]
Values = NDArray[np.float32]

_LISTED = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}  # types with a table


def limits(image: NDArray[Any]) -> tuple[float, float]:
    """Return what 0 and 1 stand for in ``image``."""
    if image.dtype in _LISTED:
        return 0.0, _LISTED[image.dtype]
    return float(image.min()), float(image.max())


def changed(image: NDArray[Any], picked: Picked) -> NDArray[Any]:
    """Return ``image`` after the tables, in its own type; integers are rounded."""
    if not picked:
        return image
    if image.dtype in _LISTED:
        values = np.rint(_mapped(_all_values(image.dtype), limits(image), picked, clip=True))
        return _look_up(image, values.astype(image.dtype))
    return _mapped(image.astype(np.float32), limits(image), picked, clip=False)


def normalised(
    image: NDArray[Any],
    shift: Values,
    factor: Values,
    picked: Picked = (),
    *,
    out: Values | None = None,
) -> Values:
    """Return (x - shift) * factor after the tables, not rounded in between.

    Args:
        image: (C, H, W) or (C, D, H, W) of any type.
        shift: (C,), in stored units.
        factor: (C,).
        picked: What the tables picked, in recipe order.
        out: float32 of the image's shape and any layout to write to; None: a new array.

    Returns:
        float32 of the image's shape, ``out`` where it is given: the same values either way.
    """
    plain = not picked and (out is not None or image.dtype == np.uint16)
    if plain or image.dtype not in _LISTED:
        each = (-1, *[1] * (image.ndim - 1))
        return _scaled(changed(image, picked), shift.reshape(each), factor.reshape(each), out)
    values = _through_table(image, shift, factor, picked)
    if out is None:
        return values
    np.copyto(out, values)
    return out


def _through_table(image: NDArray[Any], shift: Values, factor: Values, picked: Picked) -> Values:
    """Return the same by a look-up of each possible value."""
    values = _mapped(_all_values(image.dtype), limits(image), picked, clip=True)
    if (shift == shift[0]).all() and (factor == factor[0]).all():
        return _look_up(image, _scaled(values, shift[0], factor[0]))
    out = np.empty(image.shape, np.float32)
    for channel, plane in enumerate(image):
        out[channel] = _look_up(plane, _scaled(values, shift[channel], factor[channel]))
    return out


@lru_cache(maxsize=2)
def _all_values(dtype: np.dtype[Any]) -> Values:
    values = np.arange(_LISTED[dtype] + 1, dtype=np.float32)
    values.flags.writeable = False
    return values


def _mapped(values: Values, ends: tuple[float, float], picked: Picked, *, clip: bool) -> Values:
    low, high = np.float32(ends[0]), np.float32(ends[1])
    if not picked or low == high:
        return values
    values = (values - low) / (high - low)
    for table, what in picked:
        values = table.map(values, what)
        if clip:  # each step of a chain of 8-bit transforms would saturate
            values = values.clip(0, 1)
    return values * (high - low) + low


def _scaled(
    values: NDArray[Any], shift: Values, factor: Values, out: Values | None = None
) -> Values:
    if out is None:
        out = np.empty(values.shape, np.float32)
    if shift.any():
        np.subtract(values, shift, out=out, dtype=np.float32)
    else:
        np.copyto(out, values, casting="same_kind")
    if (factor != 1).any():
        out *= factor
    return out


def _look_up(image: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
    if image.dtype == np.uint8:
        rows = np.ascontiguousarray(image).reshape(-1, image.shape[-1])
        return np.asarray(cv2.LUT(rows, values.reshape(1, 256))).reshape(image.shape)
    from lamina.data.transforms.lookup import look_up  # compiles on first use

    return look_up(image, values)
