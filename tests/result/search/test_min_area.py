"""All thresholds and minimum areas in one walk, and the order of cases on the way."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.result.search.histogram import CODES
from lamina.result.search.min_area import cut, part, scan, sort_by_area, sort_grown
from lamina.seeding import rng


@pytest.mark.parametrize("swaps", [0, 3, 2000])
def test_the_order_is_that_of_a_stable_sort(swaps: int) -> None:
    random = rng(2, "areas")
    counts = np.zeros((300, 3))
    counts[:, 0] = random.integers(0, 60, 300)  # many are equal
    order = np.argsort(-counts[:, 0], kind="stable")
    for _ in range(swaps):
        one, other = random.integers(0, 300, 2)
        order[[one, other]] = order[[other, one]]
    wanted = order[np.argsort(-counts[order, 0], kind="stable")]
    sort_by_area(order, counts)
    np.testing.assert_array_equal(order, wanted)


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


@pytest.mark.parametrize("rule", [[0.5, 0.5, 1, 1], [1, 1, 0, 1], [0.8, 0.2, 0, 0]])
def test_the_walk_is_that_of_sorting_all_cases_anew_bit_by_bit(rule: list[float]) -> None:
    """Decisions that were tuned before are found again, to the last digit of their scores."""
    given, weights = drawn(40, 25, 1), np.asarray(rule, np.float64)
    for use in (np.arange(40), rng(0, "use").permutation(40)[:23], np.array([7])):
        columns = (given[name] for name in ("codes", "area", "predicted", "positives", "truth"))
        found = scan(given["starts"], *columns, use, weights)
        for one, wanted in zip(found, slow_scan(given, use, weights), strict=True):
            np.testing.assert_array_equal(one, wanted)


def test_no_case_scores_one() -> None:
    given, rule = drawn(3, 5, 2), np.array([0.5, 0.5, 1, 1])
    columns = (given[name] for name in ("codes", "area", "predicted", "positives", "truth"))
    best, plain, least = scan(given["starts"], *columns, np.arange(0), rule)
    assert (best == 1).all()
    assert (plain == 1).all()
    assert (least == -1).all()


@pytest.mark.parametrize("mixed", [0, 5, 400])
@pytest.mark.parametrize("highest", [1, 60, 1600, 10_000_000])
def test_cases_that_grew_are_sorted_stably(mixed: int, highest: int) -> None:
    random = rng(3, "grown")
    area = np.sort(random.integers(0, highest, 400))[::-1].copy()
    area[:mixed] = random.permutation(area[:mixed])
    cases, places = np.arange(400), np.arange(400) * 2
    sort_grown(cases, places, area)
    np.testing.assert_array_equal(cases, np.argsort(-area, kind="stable"))
    np.testing.assert_array_equal(places, cases * 2)
