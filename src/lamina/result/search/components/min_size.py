"""The best minimum part and minimum area at each of 255 thresholds, all of them tried.

At one threshold a minimum part removes parts from the smallest up, so that each size that occurs
is one step; at every step every minimum area is one prefix of the cases by area (``scan``).
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from lamina.result.search.area_order import MOVES
from lamina.result.search.components.tree import LEVELS
from lamina.result.search.min_area import BETTER, part


@numba.njit(cache=True)
def scan_parts(
    high: NDArray[np.uint8],
    low: NDArray[np.uint8],
    sums: NDArray[np.int64],
    owner: NDArray[np.int64],
    truth: NDArray[np.int64],
    rule: NDArray[np.float64],
    by_case: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Try all thresholds, minimum parts and, where ``by_case``, minimum areas.

    Args:
        high: (parts,) greatest threshold of each part, in 1/256, descending.
        low: (parts,) least threshold of each part.
        sums: (parts, 3) area, valid pixels, valid pixels of the class.
        owner: (parts,) number of the case that the part is of.
        truth: (N,) valid pixels of the class in each case.
        rule: See ``scan.part``.
        by_case: The score is the mean over cases; else all cases are pooled.

    Returns:
        For each of the LEVELS thresholds: the best score (-1 for threshold 0, which has no parts),
        its minimum area (-1: better nothing at all) and its minimum part.
    """
    best, least = np.full(LEVELS, -1.0), np.full(LEVELS, -1, np.int64)
    smallest = np.zeros(LEVELS, np.int64)
    alive = np.empty(high.size, np.int64)
    many = taken = 0
    for level in range(LEVELS - 1, 0, -1):
        kept = 0
        for k in range(many):
            if low[alive[k]] <= level:
                alive[kept] = alive[k]
                kept += 1
        many = kept
        while taken < high.size and high[taken] == level:
            alive[many] = taken
            many += 1
            taken += 1
        here = alive[:many]
        by_size = here[np.argsort(sums[here, 0])]
        best[level], least[level], smallest[level] = _at_level(
            by_size, sums, owner, truth, rule, by_case
        )
    return best, least, smallest


@numba.njit(cache=True)
def _at_level(
    by_size: NDArray[np.int64],
    sums: NDArray[np.int64],
    owner: NDArray[np.int64],
    truth: NDArray[np.int64],
    rule: NDArray[np.float64],
    by_case: bool,
) -> tuple[float, int, int]:
    n = truth.size
    counts, gain, nothing = np.zeros((n, 3)), np.zeros((n, 2)), np.zeros(2)
    for k in by_size:
        counts[owner[k]] += sums[k]
    for i in range(n):
        value, cases = part(0.0, 0.0, float(truth[i]), rule)
        nothing[0] += value
        nothing[1] += cases
        _judge(i, counts, truth, rule, gain)
    order = np.argsort(-counts[:, 0])
    best, least = _score(order, counts, gain, nothing, truth, rule, by_case)
    smallest = at = 0
    while at < by_size.size:
        size = sums[by_size[at], 0]
        while at < by_size.size and sums[by_size[at], 0] == size:
            i = owner[by_size[at]]
            counts[i] -= sums[by_size[at]]
            _judge(i, counts, truth, rule, gain)
            at += 1
        if at == by_size.size:
            break  # nothing left; the least minimum area of -1 says so
        score, area = _score(order, counts, gain, nothing, truth, rule, by_case)
        if score > best + BETTER:
            best, least = score, area
            # any size in (size, next] cuts here; the middle is farthest from both
            smallest = (size + sums[by_size[at], 0] + 1) // 2
    return best, least, smallest


@numba.njit(cache=True)
def _judge(
    i: int,
    counts: NDArray[np.float64],
    truth: NDArray[np.int64],
    rule: NDArray[np.float64],
    gain: NDArray[np.float64],
) -> None:
    value, cases = part(counts[i, 1], counts[i, 2], float(truth[i]), rule)
    none, no_cases = part(0.0, 0.0, float(truth[i]), rule)
    gain[i, 0] = value - none
    gain[i, 1] = cases - no_cases


@numba.njit(cache=True)
def _score(
    order: NDArray[np.int64],
    counts: NDArray[np.float64],
    gain: NDArray[np.float64],
    nothing: NDArray[np.float64],
    truth: NDArray[np.int64],
    rule: NDArray[np.float64],
    by_case: bool,
) -> tuple[float, int]:
    if not by_case:
        value, cases = part(counts[:, 1].sum(), counts[:, 2].sum(), float(truth.sum()), rule)
        return (value if cases else 1.0), 0
    sort_by_area(order, counts)
    best, _, least = cut(order, counts, gain, nothing[0], nothing[1])
    return best, least


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
        if moves > MOVES * order.size:  # of many cases it does, by their number squared
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
