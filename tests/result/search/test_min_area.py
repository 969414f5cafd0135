"""All thresholds and minimum areas in one walk, of all cases and without each fold."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.result.search.components.min_size import cut
from lamina.result.search.histogram import CODES
from lamina.result.search.min_area import part, scan
from lamina.seeding import rng


def drawn(cases: int, codes: int, seed: int) -> dict[str, NDArray[Any]]:
    """Return the flat histograms of cases, of some of which every pixel has one probability."""
    random = rng(seed, "histograms")
    sizes = random.integers(0, codes, cases)
    sizes[::7] = 1
    each = [np.sort(random.choice(np.arange(1, codes + 1), size, False))[::-1] for size in sizes]
    found = np.concatenate([np.zeros(0, np.int64), *each]).astype(np.uint16)
    area = random.integers(1, 4, found.size).astype(np.uint32)  # many are equal
    predicted = random.binomial(area, 0.9).astype(np.uint32)
    positives = random.binomial(predicted, 0.4).astype(np.uint32)
    starts = np.cumsum([0, *sizes])
    hits = [positives[a:b].sum() for a, b in pairwise(starts)]
    truth = (np.asarray(hits) + random.integers(0, 5, cases)) * random.integers(0, 2, cases)
    truth = np.maximum(truth, hits)
    return {
        "starts": starts,
        "codes": found,
        "area": area,
        "predicted": predicted,
        "positives": positives,
        "truth": truth.astype(np.int64),
    }


def slow_scan(
    given: dict[str, NDArray[Any]], use: NDArray[np.int64], rule: NDArray[np.float64]
) -> tuple[NDArray[Any], ...]:
    """Sort all cases stably at each threshold and sum them one after another."""
    counts, gain = np.zeros((use.size, 3)), np.zeros((use.size, 2))
    nothing = [part(0.0, 0.0, float(given["truth"][i]), rule) for i in use]
    empty, cases = (float(sum(one)) for one in zip(*nothing, strict=True))
    order, highest = np.arange(use.size), int(given["codes"].max())
    score = empty / cases if cases else 1.0
    best, plain, least = np.full(CODES, score), np.full(CODES, score), np.full(CODES, -1)
    for t in range(highest - 1, -1, -1):
        for j, i in enumerate(use):
            mine = slice(given["starts"][i], given["starts"][i + 1])
            for entry in np.flatnonzero(given["codes"][mine] == t + 1) + mine.start:
                counts[j] += [given[name][entry] for name in ("area", "predicted", "positives")]
                value = part(counts[j, 1], counts[j, 2], float(given["truth"][i]), rule)
                gain[j] = np.subtract(value, nothing[j])
        order = order[np.argsort(-counts[order, 0], kind="stable")]
        best[t], plain[t], least[t] = cut(order, counts, gain, empty, cases)
    return best, plain, least


def walked(
    given: dict[str, NDArray[Any]],
    use: NDArray[np.int64],
    rule: NDArray[np.float64],
    fold: NDArray[np.int64] | None = None,
    **changes: int,
) -> tuple[NDArray[Any], ...]:
    columns = (given[name] for name in ("codes", "area", "predicted", "positives", "truth"))
    folds = 0 if fold is None else int(fold.max()) + 1
    fold = np.zeros(0, np.int64) if fold is None else fold
    return scan(given["starts"], *columns, use, fold, folds, rule, **changes)


RULES = [[0.5, 0.5, 1, 1], [1, 1, 0, 1], [0.8, 0.2, 0, 0]]


@pytest.mark.parametrize("rule", RULES)
def test_the_walk_is_that_of_sorting_all_cases_anew_bit_by_bit(rule: list[float]) -> None:
    """Decisions that were tuned before are found again, to the last digit of their scores."""
    given, weights = drawn(40, 25, 1), np.asarray(rule, np.float64)
    for use in (np.arange(40), rng(0, "use").permutation(40)[:23], np.array([7])):
        found = walked(given, use, weights)
        for one, wanted in zip(found, slow_scan(given, use, weights), strict=True):
            assert one.shape == (1, CODES)
            np.testing.assert_array_equal(one[0], wanted)


@pytest.mark.parametrize("room", [1, 30, 1000])
@pytest.mark.parametrize("rule", RULES)
def test_each_fold_is_left_out_bit_by_bit(rule: list[float], room: int) -> None:
    """However many entries are sorted at a time; one fold has no case, one has a single one."""
    given, weights = drawn(40, 25, 4), np.asarray(rule, np.float64)
    use = np.sort(rng(1, "use").permutation(40)[:33])
    fold = rng(2, "folds").integers(0, 3, use.size)
    fold[5] = 4
    found = walked(given, use, weights, fold, room=room)
    for row, left in enumerate([use, *(use[fold != k] for k in range(5))]):
        for one, wanted in zip(found, slow_scan(given, left, weights), strict=True):
            np.testing.assert_array_equal(one[row], wanted)


@pytest.mark.parametrize("rule", RULES)
def test_a_single_fold_leaves_no_case(rule: list[float]) -> None:
    given, use = drawn(12, 9, 5), np.arange(12)
    best, plain, least = walked(given, use, np.asarray(rule), np.zeros(12, np.int64))
    assert (best[1] == 1).all()
    assert (plain[1] == 1).all()
    assert (least[1] == -1).all()
    np.testing.assert_array_equal(best[0], walked(given, use, np.asarray(rule))[0][0])


def test_no_case_scores_one() -> None:
    best, plain, least = walked(drawn(3, 5, 2), np.arange(0), np.array([0.5, 0.5, 1, 1]))
    assert (best == 1).all()
    assert (plain == 1).all()
    assert (least == -1).all()
