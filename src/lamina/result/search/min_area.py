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

_MOVES = 4  # for each case that is sorted, before all are sorted anew
_RANGE = 4  # areas for each case, up to which sorting anew counts them
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
    pixels = np.zeros(n, np.int64)  # of each case above the threshold
    counts = np.zeros((n, 2))  # predicted, hits
    gain = np.zeros((n, 2))
    first = np.full(CODES, -1, np.int64)  # a case whose next code it is; -1: none
    following = np.full(n, -1, np.int64)  # another with the same next code
    for j in range(n):
        if at[j] < starts[use[j] + 1]:
            following[j], first[codes[at[j]]] = first[codes[at[j]]], j
    sum_empty = cases_empty = 0.0
    for j in range(n):
        value, cases = part(0.0, 0.0, float(truth[use[j]]), rule)
        sum_empty += value
        cases_empty += cases
    best[CODES - 1] = plain[CODES - 1] = sum_empty / cases_empty if cases_empty else 1.0

    # cases with pixels by area, their areas and gains: before a step, and after it
    order, sizes, gains = (
        np.empty((2, n), np.int64),
        np.empty((2, n), np.int64),
        np.empty((2, n, 2)),
    )
    now = active = 0
    has_grown = np.zeros(n, np.bool_)
    grown, places, fresh = np.empty((3, n), np.int64)
    for t in range(CODES - 2, -1, -1):
        j, first[t + 1] = first[t + 1], -1
        if j < 0:  # no case has pixels of code t + 1
            best[t], plain[t], least[t] = best[t + 1], plain[t + 1], least[t + 1]
            continue
        new = 0
        while j >= 0:  # p > t now takes in the pixels of code t + 1
            i, after = use[j], following[j]
            if pixels[j] == 0:
                fresh[new] = j
                new += 1
            has_grown[j] = pixels[j] > 0
            pixels[j] += area[at[j]]
            counts[j, 0] += predicted[at[j]]
            counts[j, 1] += positives[at[j]]
            at[j] += 1
            if at[j] < starts[i + 1]:
                following[j], first[codes[at[j]]] = first[codes[at[j]]], j
            value, cases = part(counts[j, 0], counts[j, 1], float(truth[i]), rule)
            none, no_cases = part(0.0, 0.0, float(truth[i]), rule)
            gain[j, 0] = value - none
            gain[j, 1] = cases - no_cases
            j = after
        many = take_out(
            order[now, :active], sizes[now], np.sort(fresh[:new]), has_grown, grown, places
        )
        sort_grown(grown[:many], places[:many], pixels)
        best[t], plain[t], least[t] = merge_and_cut(
            order[now, :active],
            sizes[now],
            gains[now],
            grown[:many],
            places[:many],
            pixels,
            gain,
            order[1 - now],
            sizes[1 - now],
            gains[1 - now],
            sum_empty,
            cases_empty,
        )
        now, active = 1 - now, active + new
    return best, plain, least


@numba.njit(cache=True)
def take_out(
    order: NDArray[np.int64],
    sizes: NDArray[np.int64],
    fresh: NDArray[np.int64],
    has_grown: NDArray[np.bool_],
    grown: NDArray[np.int64],
    places: NDArray[np.int64],
) -> int:
    """Take the cases that grew out of the order; return how many they are.

    Args:
        order: Cases that had pixels, by area.
        sizes: (N,) their areas in that order; -1 is written where a case grew.
        fresh: Those that had none; they come last.
        has_grown: (N,) which of them grew; set to False.
        grown: (N,) gets those that grew, and ``places`` their places in the order.
        places: (N,) see there.
    """
    many = 0
    for place in range(order.size):
        case = order[place]
        if has_grown[case]:
            grown[many], places[many] = case, place
            has_grown[case], sizes[place] = False, -1
            many += 1
    for k in range(fresh.size):
        grown[many], places[many] = fresh[k], order.size + k
        many += 1
    return many


@numba.njit(cache=True)
def sort_grown(
    cases: NDArray[np.int64], places: NDArray[np.int64], area: NDArray[np.int64]
) -> None:
    """Put cases in the order of their areas, largest first; equals stay as they are.

    Args:
        cases: (m,) cases, changed in place.
        places: (m,) moved along with them.
        area: (N,) of each case.
    """
    moves = 0
    for j in range(1, cases.size):  # insertion: one step hardly changes the order
        case, place, mine = cases[j], places[j], area[cases[j]]
        k = j - 1
        while k >= 0 and area[cases[k]] < mine:
            cases[k + 1], places[k + 1] = cases[k], places[k]
            k -= 1
        cases[k + 1], places[k + 1] = case, place
        moves += j - 1 - k
        if moves > _MOVES * cases.size:  # of many cases it does, by their number squared
            _sort_anew(cases, places, area)
            return


@numba.njit(cache=True)
def _sort_anew(
    cases: NDArray[np.int64], places: NDArray[np.int64], area: NDArray[np.int64]
) -> None:
    """Do as ``sort_grown``; of areas in a narrow range in steps by their number alone."""
    low = high = area[cases[0]]
    for case in cases:
        low, high = min(low, area[case]), max(high, area[case])
    if high - low > _RANGE * cases.size:
        order = np.argsort(-area[cases], kind="mergesort")
        cases[:], places[:] = cases[order], places[order]
        return
    before, places_before = cases.copy(), places.copy()
    begins = np.zeros(high - low + 2, np.int64)  # of each area, the largest first
    for case in before:
        begins[high - area[case] + 1] += 1
    for k in range(1, begins.size):
        begins[k] += begins[k - 1]
    for k in range(before.size):
        at = begins[high - area[before[k]]]
        begins[high - area[before[k]]] += 1
        cases[at], places[at] = before[k], places_before[k]


@numba.njit(cache=True)
def merge_and_cut(
    order: NDArray[np.int64],
    sizes: NDArray[np.int64],
    gains: NDArray[np.float64],
    grown: NDArray[np.int64],
    places: NDArray[np.int64],
    area: NDArray[np.int64],
    gain: NDArray[np.float64],
    new_order: NDArray[np.int64],
    new_sizes: NDArray[np.int64],
    new_gains: NDArray[np.float64],
    sum_empty: float,
    cases_empty: float,
) -> tuple[float, float, int]:
    """Merge the cases that grew into the order of areas and return the best minimum area.

    What is read of the other cases lies in their order, so that a walk over 100,000 of them
    jumps about in memory for those that grew alone.

    Args:
        order: (k,) cases that had pixels by area, largest first, equals by their old places.
        sizes: (N,) their areas in that order; -1: the case grew, and is among ``grown``.
        gains: (N, 2) what each adds where it is kept, in that order.
        grown: (m,) cases that grew, by area.
        places: (m,) their places before; of those without pixels until now behind all others.
        area: (N,) pixels of each case.
        gain: (N, 2) what a case that is kept adds to the sum of values and to the number of cases.
        new_order: (N,) gets the order of all, ``new_sizes`` and ``new_gains`` what belongs to it.
        new_sizes: (N,) see there.
        new_gains: (N, 2) see there.
        sum_empty: Sum of values where every case is emptied.
        cases_empty: Number of cases that count then.

    Returns:
        The best score over minimum areas, that without one, and the best minimum area; -1 says:
        better no case at all.
    """
    total, cases = sum_empty, cases_empty
    score = total / cases if cases else 1.0
    best, least = score, -1
    a = b = count = 0
    here = np.int64(0)  # area of the cases before
    while True:
        while a < order.size and sizes[a] < 0:
            a += 1
        if a == order.size and b == grown.size:
            break
        take = a == order.size
        if not take and b < grown.size:
            mine = area[grown[b]]
            take = mine > sizes[a] or (mine == sizes[a] and places[b] < a)
        if take:
            case = grown[b]
            below, more, counted = area[case], gain[case, 0], gain[case, 1]
            b += 1
        else:
            case, below, more, counted = order[a], sizes[a], gains[a, 0], gains[a, 1]
            a += 1
        if count > 0 and below != here:  # equal areas stay or go together
            score = total / cases if cases else 1.0
            if score > best + BETTER:
                best = score
                # any area in (below, here] cuts here; the middle is farthest from both
                least = (here + below + 1) // 2
        new_order[count], new_sizes[count] = case, below
        new_gains[count, 0], new_gains[count, 1] = more, counted
        total += more
        cases += counted
        here = below
        count += 1
    if count > 0:
        score = total / cases if cases else 1.0
        if score > best + BETTER:
            best, least = score, 0
    return best, score, least


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
