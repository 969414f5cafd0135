"""What two computations of one answer may differ by.

Bits are equal only between results of the very same kernel, shape, batch and thread count.
Elsewhere processors differ: they choose kernels by the shape, and compute the elements left over
at the end of a row by other instructions than the rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOAT32 = 2e-6
"""What float32 probabilities of up to a few dozen overlapping tiles and views differ by."""


def assert_rounded_once(
    stored: NDArray[Any], exact: NDArray[Any], *, atol: float = FLOAT32
) -> None:
    """Fail unless ``stored`` is float16, and ``exact`` within ``atol`` rounded to it."""
    assert stored.dtype == np.float16
    assert stored.shape == exact.shape
    low, high = ((exact + step).astype(np.float16) for step in (-atol, atol))
    outside = (stored < low) | (stored > high) | np.isnan(stored)
    assert not outside.any(), (
        f"{outside.sum()} of {stored.size} values are not the nearest float16; the first is "
        f"{stored[outside][0]} for {exact[outside][0]}"
    )
