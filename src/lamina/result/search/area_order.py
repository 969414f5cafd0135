"""The order of cases by area, kept from one threshold to the next without sorting them all."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

MOVES = 4  # for each case that is sorted, before all are sorted anew
_RANGE = 4  # areas for each case, up to which sorting anew counts them

Ordered = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]
"""Cases by area, and in that order their areas, (n, 2) gains and folds."""


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
        if moves > MOVES * cases.size:  # of many cases it does, by their number squared
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
def merge(
    ordered: Ordered,
    grown: NDArray[np.int64],
    places: NDArray[np.int64],
    each: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]],
    merged: Ordered,
) -> None:
    """Merge the cases that grew into the order of areas.

    What is read of the other cases lies in their order, so that a walk over 100,000 of them
    jumps about in memory for those that grew alone.

    Args:
        ordered: (k,) cases that had pixels by area, largest first, equals by their old places.
            An area of -1: the case grew, and is among ``grown``.
        grown: (m,) cases that grew, by area.
        places: (m,) their places before; of those without pixels until now behind all others.
        each: Of every case (n,) pixels, (n, 2) what it adds to the sum of values and to the
            number of cases where it is kept, and (n,) its fold.
        merged: Gets all of them by area.
    """
    order, sizes, gains, members = ordered
    area, gain, member = each
    new_order, new_sizes, new_gains, new_members = merged
    a = b = count = 0
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
            new_order[count], new_sizes[count] = case, area[case]
            new_gains[count, 0], new_gains[count, 1] = gain[case, 0], gain[case, 1]
            new_members[count] = member[case]
            b += 1
        else:
            new_order[count], new_sizes[count] = order[a], sizes[a]
            new_gains[count, 0], new_gains[count, 1] = gains[a, 0], gains[a, 1]
            new_members[count] = members[a]
            a += 1
        count += 1
