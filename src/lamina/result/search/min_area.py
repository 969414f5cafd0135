"""The best minimum area at every threshold, in one walk from the highest threshold down.

Between two neighbouring thresholds only the pixels of one code join, so each case's counts and
value change by one step. A minimum area keeps the cases with the largest areas; with the cases
sorted by area, every minimum area is one prefix of the sum. The walk judges all cases and all
without each fold at once.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lamina.result.search.area_order import merge, sort_grown, take_out
from lamina.result.search.histogram import CODES

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
    fold: NDArray[np.int64],
    folds: int,
    rule: NDArray[np.float64],
    room: int = 1 << 23,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Try all thresholds and all minimum areas on the cases ``use``, and without each fold.

    Args:
        starts: (N + 1,) where the entries of each case begin.
        codes: (entries,) codes of a case from high to low, then those of the next case.
        area: (entries,) pixels of that code.
        predicted: (entries,) valid pixels of that code.
        positives: (entries,) valid pixels of that code that belong to the class.
        truth: (N,) valid pixels of the class.
        use: (n,) indices of the cases that take part.
        fold: (n,) 0 to ``folds`` - 1: which fold held each of them out; not read without folds.
        folds: Their number.
        rule: See ``part``.
        room: Entries that are sorted by code at a time; those of one code always are.

    Returns:
        For all of ``use`` and then for all without each fold, (1 + folds, CODES) each: the mean
        with the best minimum area, the mean without one, and the best minimum area (-1: better no
        case at all). A mean over no case is 1.
    """
    n = use.size
    best = np.ones((1 + folds, CODES))
    plain = np.ones((1 + folds, CODES))
    least = np.full((1 + folds, CODES), -1, np.int64)
    takes = np.ones((max(folds, 1), 1 + folds))  # 1 where a fold's cases are among a row's
    for k in range(folds):
        takes[k, 1 + k] = 0
    member = np.zeros(n, np.int64)
    if folds:
        member[:] = fold
    empty = _emptied(truth[use], member, takes, rule)
    _scores(empty[0], empty[1], best[:, CODES - 1])
    _scores(empty[0], empty[1], plain[:, CODES - 1])

    at = starts[use].copy()
    many = np.zeros(CODES, np.int64)  # entries of each code
    for j in range(n):
        for entry in range(at[j], starts[use[j] + 1]):
            many[codes[entry]] += 1
    pixels = np.zeros(n, np.int64)  # of each case above the threshold
    counts = np.zeros((n, 2))  # predicted, hits
    gain = np.zeros((n, 2))
    # cases with pixels by area, their areas, gains and folds: before a step, and after it
    order, sizes, members = np.empty((3, 2, n), np.int64)
    gains = np.empty((2, n, 2))
    now = active = 0
    has_grown = np.zeros(n, np.bool_)
    grown, places, fresh = np.empty((3, n), np.int64)
    # entries of a few codes at a time, by code and then by case: cases are then gone through in
    # the order in which they lie in memory
    room = max(min(room, many.sum()), many.max())
    who, begins = np.empty(room, np.int32), np.zeros(CODES, np.int64)
    its_area, its_predicted, its_positives = (
        np.empty(room, area.dtype),
        np.empty(room, predicted.dtype),
        np.empty(room, positives.dtype),
    )
    low = CODES
    for t in range(CODES - 2, -1, -1):
        if t + 1 < low:
            low = _gather(
                t + 1,
                many,
                starts,
                codes,
                (area, predicted, positives),
                use,
                at,
                begins,
                who,
                (its_area, its_predicted, its_positives),
            )
        if many[t + 1] == 0:  # no case has pixels of code t + 1
            best[:, t], plain[:, t], least[:, t] = best[:, t + 1], plain[:, t + 1], least[:, t + 1]
            continue
        these = slice(begins[t + 1] - many[t + 1], begins[t + 1])
        new = _take_in(
            who[these],
            (its_area[these], its_predicted[these], its_positives[these]),
            truth,
            use,
            rule,
            (pixels, counts, gain),
            has_grown,
            fresh,
        )
        moved = take_out(order[now, :active], sizes[now], fresh[:new], has_grown, grown, places)
        sort_grown(grown[:moved], places[:moved], pixels)
        merge(
            (order[now, :active], sizes[now], gains[now], members[now]),
            grown[:moved],
            places[:moved],
            (pixels, gain, member),
            (order[1 - now], sizes[1 - now], gains[1 - now], members[1 - now]),
        )
        now, active = 1 - now, active + new
        _cut_rows(
            sizes[now, :active],
            gains[now],
            members[now],
            takes,
            empty,
            rule[3] == 0,
            (best[:, t], plain[:, t], least[:, t]),
        )
    return best, plain, least


@numba.njit(cache=True)
def _emptied(
    truth: NDArray[np.int64],
    member: NDArray[np.int64],
    takes: NDArray[np.float64],
    rule: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return (2, rows): the sum of values where every case is emptied, and the number that counts.

    Args:
        truth: (n,) valid pixels of the class of each case.
        member: (n,) the fold of each.
        takes: (folds, rows) 1 where the cases of a fold are among those of a row, else 0.
        rule: See ``part``.
    """
    empty = np.zeros((2, takes.shape[1]))
    for j in range(truth.size):
        value, cases = part(0.0, 0.0, float(truth[j]), rule)
        for row in range(takes.shape[1]):
            empty[0, row] += value * takes[member[j], row]
            empty[1, row] += cases * takes[member[j], row]
    return empty


@numba.njit(cache=True)
def _take_in(
    who: NDArray[np.int32],
    found: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    truth: NDArray[np.int64],
    use: NDArray[np.int64],
    rule: NDArray[np.float64],
    each: tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]],
    has_grown: NDArray[np.bool_],
    fresh: NDArray[np.int64],
) -> int:
    """Add the pixels of one code to the cases that have any; return how many had none before.

    Args:
        who: (k,) numbers of cases among ``use``.
        found: (k,) each, their pixels of the code: all, valid and right.
        truth: See ``scan``, as for ``use`` and ``rule``.
        use: See there.
        rule: See there.
        each: Of every case (n,) pixels, (n, 2) predicted and right ones, and (n, 2) what it adds
            to the sum of values and to the number of cases where it is kept; changed.
        has_grown: (n,) set where a case had pixels before.
        fresh: (n,) gets those that had none.
    """
    pixels, counts, gain = each
    new = 0
    for k in range(who.size):
        j = who[k]
        if pixels[j] == 0:
            fresh[new] = j
            new += 1
        else:
            has_grown[j] = True
        pixels[j] += found[0][k]
        counts[j, 0] += found[1][k]
        counts[j, 1] += found[2][k]
        positive = float(truth[use[j]])
        value, cases = part(counts[j, 0], counts[j, 1], positive, rule)
        none, no_cases = part(0.0, 0.0, positive, rule)
        gain[j, 0] = value - none
        gain[j, 1] = cases - no_cases
    return new


@numba.njit(cache=True)
def _gather(
    high: int,
    many: NDArray[np.int64],
    starts: NDArray[np.int64],
    codes: NDArray[np.uint16],
    columns: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
    use: NDArray[np.int64],
    at: NDArray[np.int64],
    begins: NDArray[np.int64],
    who: NDArray[np.int32],
    found: tuple[NDArray[Any], NDArray[Any], NDArray[Any]],
) -> int:
    """Sort the entries of as many codes as there is room for by code, and then by case.

    Args:
        high: The first of these codes; the others are lower.
        many: (CODES,) entries of each code.
        starts: See ``scan``, as for ``codes``, ``columns`` (area, predicted, positives), ``use``.
        codes: See there.
        columns: See there.
        use: See there.
        at: (n,) the next entry of each case, changed.
        begins: (CODES,) gets where the entries of a code end.
        who: (room,) gets the number among ``use`` of the case of each entry.
        found: (room,) each, get what ``columns`` hold.

    Returns:
        The last of these codes.
    """
    low, total = high, many[high]
    begins[high] = 0
    while low > 1 and total + many[low - 1] <= who.size:
        low -= 1
        begins[low] = total
        total += many[low]
    for j in range(use.size):
        end = starts[use[j] + 1]
        entry = at[j]
        while entry < end and codes[entry] >= low:
            place = begins[codes[entry]]
            begins[codes[entry]] += 1
            who[place] = j
            found[0][place] = columns[0][entry]
            found[1][place] = columns[1][entry]
            found[2][place] = columns[2][entry]
            entry += 1
        at[j] = entry
    return low


@numba.njit(cache=True)
def _cut_rows(
    sizes: NDArray[np.int64],
    gains: NDArray[np.float64],
    members: NDArray[np.int64],
    takes: NDArray[np.float64],
    empty: NDArray[np.float64],
    counting: bool,
    found: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
) -> None:
    """Find the best minimum area of all cases, and of all without each fold.

    Args:
        sizes: (k,) areas of cases, largest first, all above 0.
        gains: (k, 2) what each adds where it is kept.
        members: (k,) the fold of each.
        takes: (folds, rows) 1 where the cases of a fold are among those of a row, else 0.
        empty: (2, rows) sum of values where every case is emptied, and the number that counts.
        counting: Whether a case that is kept may add to the number; gains[:, 1] is 0 otherwise.
        found: (rows,) each, get the best score, that without a minimum area, and the best minimum
            area; -1: better no case at all.
    """
    best, plain, least = found
    rows = best.size
    total, cases = empty[0].copy(), empty[1].copy()
    cut_at = np.full(rows, -1, np.int64)  # the least area that is kept where it is best
    beyond = np.full(rows, -1, np.int64)  # the largest that is not; -1: not seen yet
    _scores(total, cases, best)
    pending = False  # a row waits for the largest area that is not kept
    for place in range(sizes.size):
        if place and sizes[place] != sizes[place - 1]:  # equal areas stay or go together
            pending |= _note_better(total, cases, sizes[place - 1], best, cut_at, beyond)
        if pending:
            pending = _note_beyond(takes[members[place]], sizes[place], cut_at, beyond)
        for row in range(rows):
            total[row] += gains[place, 0] * takes[members[place], row]
        if counting:
            for row in range(rows):
                cases[row] += gains[place, 1] * takes[members[place], row]
    _scores(total, cases, plain)
    least[:] = -1
    for row in range(rows):
        if plain[row] > best[row] + BETTER:
            best[row], least[row] = plain[row], 0
        elif cut_at[row] >= 0:
            # any area in (beyond, cut_at] cuts here; the middle is farthest from both
            least[row] = (cut_at[row] + beyond[row] + 1) // 2 if beyond[row] >= 0 else 0


@numba.njit(cache=True)
def _scores(
    total: NDArray[np.float64], cases: NDArray[np.float64], found: NDArray[np.float64]
) -> None:
    """Write the mean of each row, (rows,) all arrays; that over no case is 1."""
    for row in range(found.size):
        found[row] = total[row] / cases[row] if cases[row] else 1.0


@numba.njit(cache=True)
def _note_better(
    total: NDArray[np.float64],
    cases: NDArray[np.float64],
    area: int,
    best: NDArray[np.float64],
    cut_at: NDArray[np.int64],
    beyond: NDArray[np.int64],
) -> bool:
    """Note the rows, (rows,) all arrays, whose score is better where ``area`` is the last kept."""
    any_is = False
    for row in range(best.size):
        if total[row] > best[row] * cases[row]:  # division is slow
            score = total[row] / cases[row]
            if score > best[row] + BETTER:
                best[row], cut_at[row], beyond[row] = score, area, -1
                any_is = True
    return any_is


@numba.njit(cache=True)
def _note_beyond(
    takes: NDArray[np.float64],
    area: int,
    cut_at: NDArray[np.int64],
    beyond: NDArray[np.int64],
) -> bool:
    """Note the ``area`` of a case as the largest that a row, (rows,), cuts away.

    Returns:
        Whether a row still waits, since the case is not among its own.
    """
    waits = False
    for row in range(cut_at.size):
        if cut_at[row] >= 0 and beyond[row] < 0:
            if takes[row]:
                beyond[row] = area
            else:
                waits = True
    return waits
