"""Order statistics of volumes of any size, exact, in passes of bounded memory.

Numbers are turned into whole numbers of the same order, and those are counted 16 bits at a time
from the highest: each pass tells 16 more bits of the wanted numbers. Bytes and 16-bit numbers
take one pass, float32 two, float64 four.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.network_input.normalise import check_finite
from lamina.data.views.chunks import pieces
from lamina.volume import Volume

_BITS = 16  # that one pass tells


def extremes(volume: Volume) -> tuple[float, float]:
    """Return the least and the greatest value of a volume, read once in pieces.

    Raises:
        DataError: it holds NaN or infinity.
    """
    low, high = math.inf, -math.inf
    for region in pieces(volume):
        values = volume.read(region)
        check_finite(values, volume.name)
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def percentiles(volume: Volume, wanted: Sequence[float]) -> list[float]:
    """Return percentiles of all values of a volume, those of ``numpy.percentile``.

    Args:
        volume: Any size; it is read once for every 16 bits of its type.
        wanted: Each 0 to 100.

    Raises:
        DataError: it holds NaN or infinity.
    """
    count = math.prod(volume.shape) * volume.channels
    places = [q / 100 * (count - 1) for q in wanted]
    ranks = sorted({rank for place in places for rank in (math.floor(place), math.ceil(place))})
    values = dict(zip(ranks, _ranked(volume, ranks), strict=True))
    interpolated = []
    for place in places:
        low, high = values[math.floor(place)], values[math.ceil(place)]
        interpolated.append(low + (high - low) * (place - math.floor(place)))
    return interpolated


def _ranked(volume: Volume, ranks: Sequence[int]) -> list[float]:
    """Return the values of the given ranks, counted from 0 for the least."""
    width = 8 * volume.dtype.itemsize
    known = [0] * len(ranks)  # the bits found so far
    left = list(ranks)  # rank among the values that share those bits
    for shift in range(max(width - _BITS, 0), -1, -_BITS):
        bits = min(width, _BITS)
        counts = _counted(volume, dict.fromkeys(known, bits), shift)
        for at, prefix in enumerate(known):
            sums = counts[prefix].cumsum()
            digit = int(np.searchsorted(sums, left[at], side="right"))
            left[at] -= int(sums[digit - 1]) if digit else 0
            known[at] = prefix << bits | digit
    keys = np.array(known, f"u{volume.dtype.itemsize}")
    return [float(value) for value in _values(keys, volume.dtype)]


def _counted(volume: Volume, prefixes: dict[int, int], shift: int) -> dict[int, NDArray[np.int64]]:
    """Count the 16 bits above ``shift`` of all values whose higher bits are one of the prefixes."""
    counts = {prefix: np.zeros(1 << bits, np.int64) for prefix, bits in prefixes.items()}
    for region in pieces(volume):
        stored = volume.read(region)
        check_finite(stored, volume.name)
        keys = _keys(stored).ravel()
        digits = (keys >> shift).astype(np.uint64)
        for prefix, bits in prefixes.items():
            mine = digits[digits >> np.uint64(bits) == prefix] & np.uint64((1 << bits) - 1)
            counts[prefix] += np.bincount(mine.astype(np.int64), minlength=1 << bits)
    return counts


def _keys(values: NDArray[Any]) -> NDArray[Any]:
    """Return whole numbers without a sign that are in the same order as ``values``."""
    kind = np.dtype(f"u{values.dtype.itemsize}")
    bits = np.ascontiguousarray(values).view(kind)
    if values.dtype.kind in "ub":
        return bits
    top = kind.type(1 << (8 * kind.itemsize - 1))
    if values.dtype.kind == "i":
        return np.asarray(np.bitwise_xor(bits, top))
    return np.asarray(np.where(bits & top, ~bits, bits | top))  # negative floats count down


def _values(keys: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return what ``_keys`` was given."""
    if dtype.kind in "ub":
        return keys
    top = keys.dtype.type(1 << (8 * keys.dtype.itemsize - 1))
    if dtype.kind == "i":
        return np.asarray(np.bitwise_xor(keys, top)).view(dtype)
    return np.asarray(np.where(keys & top, keys & ~top, ~keys)).view(dtype)
