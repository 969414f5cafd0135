"""Every area for every pair of thresholds, where an area is asked of each connected part.

The parts above the upper threshold are walked up the tree to the parts of ever lower bottoms,
where their counts add up. With the parts sorted by count, every area is one prefix; each part of
it changes the value of its own case and of no other.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from lamina.result.search.min_area import BETTER, part


@numba.njit(cache=True)
def scan_trees(
    high: NDArray[np.uint16],
    low: NDArray[np.uint16],
    sums: NDArray[np.uint32],
    parent: NDArray[np.int64],
    owner: NDArray[np.int64],
    by_high: NDArray[np.int64],
    truth: NDArray[np.int64],
    tops: NDArray[np.int64],
    bottoms: NDArray[np.int64],
    areas: NDArray[np.int64],
    rule: NDArray[np.float64],
    pooled: bool,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Try all areas from 1 at all pairs of an upper and a lower threshold.

    Args:
        high: (n,) see ``tree.Tree``; so for the next four.
        low: (n,).
        sums: (n, 3).
        parent: (n,).
        owner: (n,); a negative one leaves the part out.
        by_high: (n,) parts in the order of ``high``, greatest first.
        truth: (N,) valid pixels of the class of each case, -1 for a case that is left out.
        tops: (T,) numbers of the upper thresholds, ascending.
        bottoms: (B,) numbers of the lower thresholds, ascending.
        areas: (G,) ascending areas whose score is wanted as well.
        rule: See ``scan.part``.
        pooled: All cases are pooled; else the score is the mean over cases.

    Returns:
        As ``triplet_scan.scan_images``. An upper threshold below the lower one counts all pixels
        of a part, as if both were equal.
    """
    shape = (tops.size, bottoms.size)
    best, least = np.zeros(shape), np.full(shape, -1, np.int64)
    most = np.full(shape, -1, np.int64)
    score = np.zeros((tops.size, areas.size, bottoms.size))
    node, count = np.empty(high.size, np.int64), np.empty(high.size, np.int64)
    alive = np.empty(high.size, np.int64)
    slot = np.full(high.size, -1, np.int64)
    work = np.zeros((truth.size, 2))
    empty = _nothing(truth, rule)
    levels = max(tops[-1], bottoms[-1]) if tops.size and bottoms.size else -1
    many = taken = 0
    for level in range(levels, -1, -1):
        kept = 0
        for k in range(many):
            if low[alive[k]] <= level:
                alive[kept] = alive[k]
                kept += 1
        many = kept
        while taken < by_high.size and high[by_high[taken]] >= level:
            new = by_high[taken]
            if owner[new] >= 0 and low[new] <= level:
                alive[many] = new
                many += 1
            taken += 1
        t = np.searchsorted(tops, level)
        is_top = t < tops.size and tops[t] == level
        b = np.searchsorted(bottoms, level)
        is_bottom = b < bottoms.size and bottoms[b] == level
        if not is_top and not is_bottom:
            continue
        order = np.argsort(-sums[alive[:many], 0].astype(np.int64))
        for k in range(many):
            node[k] = alive[order[k]]
            count[k] = sums[node[k], 0]
        here = many
        first = b if is_bottom else b - 1
        for q in range(first, -1 if is_top else first - 1, -1):
            here = _climb(node, count, here, slot, low, parent, bottoms[q])
            found = _areas(node, count, here, sums, owner, truth, areas, rule, pooled, empty, work)
            value, small, large, curve = found
            # where the top is below the bottom, all of a part is above it
            start = 0 if is_bottom and q == b else t
            for at in range(start, t + 1 if is_top else t):
                best[at, q], least[at, q], most[at, q] = value, small, large
                score[at, :, q] = curve
    return best, least, most, score


@numba.njit(cache=True)
def _nothing(truth: NDArray[np.int64], rule: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return value, cases and true pixels of all cases where every mask is empty."""
    total = np.zeros(3)
    for one in truth:
        if one >= 0:
            value, cases = part(0.0, 0.0, float(one), rule)
            total[0] += value
            total[1] += cases
            total[2] += one
    return total


@numba.njit(cache=True)
def _climb(
    node: NDArray[np.int64],
    count: NDArray[np.int64],
    many: int,
    slot: NDArray[np.int64],
    low: NDArray[np.uint16],
    parent: NDArray[np.int64],
    bottom: int,
) -> int:
    """Replace parts by those that hold them at ``bottom``, add their counts, largest first."""
    kept = 0
    for k in range(many):
        at, pixels = node[k], count[k]
        while low[at] > bottom:
            at = parent[at]
        if slot[at] >= 0:
            count[slot[at]] += pixels
        else:
            slot[at] = kept
            node[kept], count[kept] = at, pixels
            kept += 1
    for k in range(kept):
        slot[node[k]] = -1
    for j in range(1, kept):  # insertion sort: one step hardly changes the order
        at, pixels = node[j], count[j]
        k = j - 1
        while k >= 0 and count[k] < pixels:
            node[k + 1], count[k + 1] = node[k], count[k]
            k -= 1
        node[k + 1], count[k + 1] = at, pixels
    return kept


@numba.njit(cache=True)
def _areas(
    node: NDArray[np.int64],
    count: NDArray[np.int64],
    many: int,
    sums: NDArray[np.uint32],
    owner: NDArray[np.int64],
    truth: NDArray[np.int64],
    areas: NDArray[np.int64],
    rule: NDArray[np.float64],
    pooled: bool,
    empty: NDArray[np.float64],
    work: NDArray[np.float64],
) -> tuple[float, int, int, NDArray[np.float64]]:
    """Return the best score over areas, the minimum and maximum that reach it, and all areas'."""
    total, cases = empty[0], empty[1]
    predicted = hits = 0.0
    score = _value(total, cases, predicted, hits, empty[2], rule, pooled)
    best, least, most = score, -1, -1
    curve = np.empty(areas.size)
    g = areas.size - 1
    while g >= 0 and (many == 0 or areas[g] > count[0]):
        curve[g] = score
        g -= 1
    for k in range(many):
        i, true = owner[node[k]], float(truth[owner[node[k]]])
        before, cases_before = part(work[i, 0], work[i, 1], true, rule)
        work[i, 0] += sums[node[k], 1]
        work[i, 1] += sums[node[k], 2]
        predicted += sums[node[k], 1]
        hits += sums[node[k], 2]
        after, cases_after = part(work[i, 0], work[i, 1], true, rule)
        total += after - before
        cases += cases_after - cases_before
        below = count[k + 1] if k + 1 < many else 0
        if below == count[k]:
            continue  # equal counts stay or go together
        score = _value(total, cases, predicted, hits, empty[2], rule, pooled)
        if score > best + BETTER:
            best, least, most = score, below + 1, count[k]
        while g >= 0 and areas[g] > below:
            curve[g] = score
            g -= 1
    for k in range(many):
        work[owner[node[k]]] = 0.0
    curve[: g + 1] = score  # area 0, which the caller knows better
    return best, least, most, curve


@numba.njit(cache=True)
def _value(
    total: float,
    cases: float,
    predicted: float,
    hits: float,
    truth: float,
    rule: NDArray[np.float64],
    pooled: bool,
) -> float:
    if pooled:
        total, cases = part(predicted, hits, truth, rule)
    return total / cases if cases else 1.0


@numba.njit(cache=True)
def decide_trees(
    high: NDArray[np.uint16],
    low: NDArray[np.uint16],
    sums: NDArray[np.uint32],
    parent: NDArray[np.int64],
    owner: NDArray[np.int64],
    cases: int,
    top: int,
    area: int,
    bottom: int,
) -> NDArray[np.int64]:
    """Return the valid and hit pixels of each case, (N, 2), by one triplet with an area from 1."""
    count = np.zeros(high.size, np.int64)
    above = max(top, bottom)
    for k in range(high.size):
        if low[k] <= above <= high[k]:
            at = k
            while low[at] > bottom:
                at = parent[at]
            count[at] += sums[k, 0]
    found = np.zeros((cases, 2), np.int64)
    for k in range(high.size):
        if low[k] <= bottom <= high[k] and count[k] >= area:
            found[owner[k], 0] += sums[k, 1]
            found[owner[k], 1] += sums[k, 2]
    return found
