"""The compiled inner loop of exact Euclidean distances, one axis at a time.

Numba takes long to import, so that this module is imported where distances are measured.

Source:
    Felzenszwalb and Huttenlocher 2012, Distance transforms of sampled functions.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


def _along(squares: Any, step: float) -> None:
    """Replace (A, n, B) squares by the least of ``square + (step * distance)^2`` along axis 1."""
    before, length, after = squares.shape
    weight = step * step
    row = np.empty(length)
    lowest = np.empty(length, np.int64)  # of the parabolas that are lowest somewhere
    begins = np.empty(length)  # where each of them begins to be
    for a in range(before):
        for b in range(after):
            count = 0
            for at in range(length):
                row[at] = squares[a, at, b]
                if row[at] == np.inf:
                    continue
                start = -np.inf
                while count > 0:
                    other = lowest[count - 1]
                    gap = (row[at] - row[other]) / weight
                    start = (gap + at * at - other * other) / (2.0 * (at - other))
                    if start > begins[count - 1]:
                        break
                    count -= 1
                    start = -np.inf
                lowest[count] = at
                begins[count] = start
                count += 1
            if count == 0:
                continue
            now = 0
            for at in range(length):
                while now + 1 < count and begins[now + 1] < at:
                    now += 1
                gap = at - lowest[now]
                squares[a, at, b] = row[lowest[now]] + weight * gap * gap


along: Any = _compile(_along)
