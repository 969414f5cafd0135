"""The best minimum area at every threshold, in one walk from the highest threshold down.

Between two neighbouring thresholds only the pixels of one code join, so each case's counts and
value change by one step. A minimum area keeps the cases with the largest areas; with the cases
sorted by area, every minimum area is one prefix of the sum.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lamina.result.search.histogram import CODES

_MOVES = 16  # for each case, before all are sorted anew
BETTER = 1e-9  # less is the rounding of a long sum, not a better score


@numba.njit(cache=True)
def part(
    predicted: float,
    hits: float,
    truth: float,
    rule: NDArray[np.float64],
) -> tuple[float, float]:
    """Return what one case adds to the sum of values and to the number of cases.

    ``rule`` is [weight of a false positive, weight of a false negative, value where both are
    empty, 1 where such a case counts, else 0].
    """
    if truth == 0 and predicted == 0:
        return rule[2] * rule[3], rule[3]
    if hits == 0:
        return 0.0, 1.0
    return hits / (hits + rule[0] * (predicted - hits) + rule[1] * (truth - hits)), 1.0


@numba.njit(cache=True)
def scan(
    starts: NDArray[np.int64],
    codes: NDArray[np.uint16],
    area: NDArray[Any],
    predicted: NDArray[Any],
    positives: NDArray[Any],
    truth: NDArray[np.int64],
    use: NDArray[np.int64],
    rule: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Try all thresholds and all minimum areas on the cases ``use``.

    Args:
        starts: (N + 1,) where the entries of each case begin.
        codes: (entries,) codes of a case from high to low, then those of the next case.
        area: (entries,) pixels of that code.
        predicted: (entries,) valid pixels of that code.
        positives: (entries,) valid pixels of that code that belong to the class.
        truth: (N,) valid pixels of the class.
        use: Indices of the cases that take part.
        rule: See ``part``.

    Returns:
        For each of the CODES thresholds: the mean with the best minimum area, the mean without
        one, and the best minimum area (-1: better no case at all). A mean over no case is 1.
    """
    n = use.size
    best = np.ones(CODES)
    plain = np.ones(CODES)
    least = np.full(CODES, -1, np.int64)
    at = starts[use].copy()
    counts = np.zeros((n, 3))  # area, predicted, hits
    gain = np.zeros((n, 2))
    order = np.arange(n)
    coming = np.zeros(n, np.int64)  # the next code of each case; 0: none
    for j in range(n):
        if at[j] < starts[use[j] + 1]:
            coming[j] = codes[at[j]]
    sum_empty = cases_empty = 0.0
    for j in range(n):
        value, cases = part(0.0, 0.0, float(truth[use[j]]), rule)
        sum_empty += value
        cases_empty += cases
    best[CODES - 1] = plain[CODES - 1] = sum_empty / cases_empty if cases_empty else 1.0

    some = np.zeros(CODES, np.bool_)  # codes of any case; others change nothing
    for i in use:
        for entry in range(starts[i], starts[i + 1]):
            some[codes[entry]] = True

    for t in range(CODES - 2, -1, -1):
        if not some[t + 1]:
            best[t], plain[t], least[t] = best[t + 1], plain[t + 1], least[t + 1]
            continue
        for j in range(n):  # p > t now takes in the pixels of code t + 1
            if coming[j] == t + 1:
                i = use[j]
                counts[j, 0] += area[at[j]]
                counts[j, 1] += predicted[at[j]]
                counts[j, 2] += positives[at[j]]
                at[j] += 1
                coming[j] = codes[at[j]] if at[j] < starts[i + 1] else 0
                value, cases = part(counts[j, 1], counts[j, 2], float(truth[i]), rule)
                none, no_cases = part(0.0, 0.0, float(truth[i]), rule)
                gain[j, 0] = value - none
                gain[j, 1] = cases - no_cases
        sort_by_area(order, counts)
        best[t], plain[t], least[t] = cut(order, counts, gain, sum_empty, cases_empty)
    return best, plain, least


@numba.njit(cache=True)
def sort_by_area(order: NDArray[np.int64], counts: NDArray[np.float64]) -> None:
    """Put cases in the order of their areas, ``counts`` (N, 3) column 0, largest first."""
    moves = 0
    for j in range(1, order.size):  # insertion sort: one step hardly changes the order
        i = order[j]
        k = j - 1
        while k >= 0 and counts[order[k], 0] < counts[i, 0]:
            order[k + 1] = order[k]
            k -= 1
        order[k + 1] = i
        moves += j - 1 - k
        if moves > _MOVES * order.size:  # of many cases it does, by their number squared
            areas = np.empty(order.size)
            for place in range(order.size):
                areas[place] = -counts[order[place], 0]
            order[:] = order[np.argsort(areas, kind="mergesort")]
            return


@numba.njit(cache=True)
def cut(
    order: NDArray[np.int64],
    counts: NDArray[np.float64],
    gain: NDArray[np.float64],
    sum_empty: float,
    cases_empty: float,
) -> tuple[float, float, int]:
    """Return the best score over minimum areas, that without one, and the best minimum area.

    Args:
        order: (N,) cases by area, largest first.
        counts: (N, 3) area, predicted, hits.
        gain: (N, 2) what a case that is kept adds to the sum of values and to the number of cases.
        sum_empty: Sum of values where every case is emptied.
        cases_empty: Number of cases that count then.

    Returns:
        A minimum area of -1 says: better no case at all.
    """
    total, cases = sum_empty, cases_empty
    score = total / cases if cases else 1.0
    best, least = score, -1
    for j in range(order.size):
        here = counts[order[j], 0]
        if here == 0:
            break
        total += gain[order[j], 0]
        cases += gain[order[j], 1]
        below = counts[order[j + 1], 0] if j + 1 < order.size else 0.0
        if below == here:
            continue  # equal areas stay or go together
        score = total / cases if cases else 1.0
        if score > best + BETTER:
            best = score
            # any area in (below, here] cuts here; the middle is farthest from both
            least = int(below + here + 1) // 2 if below else 0
    return best, score, least
