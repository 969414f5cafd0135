"""Pixels of cases above a threshold, summed from flat histograms without a step in Python."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lamina.result.search.histogram import CODES
from lamina.result.search.min_area import part


@numba.njit(cache=True)
def above(
    starts: NDArray[np.int64],
    codes: NDArray[np.uint16],
    area: NDArray[Any],
    predicted: NDArray[Any],
    positives: NDArray[Any],
    use: NDArray[np.int64],
    code: int,
) -> NDArray[np.int64]:
    """Return (n, 3): all, valid and right pixels above a code of the cases ``use``.

    Args:
        starts: (N + 1,) where the entries of each case begin.
        codes: (entries,) codes of a case from high to low, then those of the next case.
        area: (entries,) pixels of that code.
        predicted: (entries,) valid pixels of that code.
        positives: (entries,) valid pixels of that code that belong to the class.
        use: (n,) indices of cases.
        code: Pixels of higher codes are summed.
    """
    found = np.zeros((use.size, 3), np.int64)
    for j in range(use.size):
        for entry in range(starts[use[j]], starts[use[j] + 1]):
            if codes[entry] <= code:
                break
            found[j, 0] += area[entry]
            found[j, 1] += predicted[entry]
            found[j, 2] += positives[entry]
    return found


@numba.njit(cache=True)
def per_code(
    starts: NDArray[np.int64],
    codes: NDArray[np.uint16],
    weights: NDArray[Any],
    use: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the (CODES,) sums of ``weights`` (entries,) of the cases ``use`` by code."""
    counts = np.zeros(CODES)
    for j in range(use.size):
        for entry in range(starts[use[j]], starts[use[j] + 1]):
            counts[codes[entry]] += weights[entry]
    return counts


@numba.njit(cache=True)
def values(
    predicted: NDArray[np.float64],
    hits: NDArray[np.float64],
    truth: NDArray[np.float64],
    rule: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return ``min_area.part`` of each case, (n,) values and (n,) numbers of cases."""
    value, cases = np.zeros(predicted.size), np.zeros(predicted.size)
    for j in range(predicted.size):
        value[j], cases[j] = part(predicted[j], hits[j], truth[j], rule)
    return value, cases
