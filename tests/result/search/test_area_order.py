"""The order of cases by area from one threshold to the next."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.result.search.area_order import merge, sort_grown, take_out
from lamina.seeding import rng


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


@pytest.mark.parametrize("grows", [0, 3, 60, 100])
@pytest.mark.parametrize("new", [0, 1, 40])
def test_cases_that_grew_are_merged_as_a_stable_sort_does(grows: int, new: int) -> None:
    """Of equal areas the one that was first stays first; what had no pixels comes last."""
    random = rng(7, "merged", grows, new)
    had, count = 100, 100 + new
    area = np.zeros(count, np.int64)
    area[random.permutation(count)[:had]] = random.integers(1, 30, had)
    first = np.flatnonzero(area)
    order = first[np.argsort(-area[first], kind="stable")]
    gain, fold = random.random((count, 2)), random.integers(0, 5, count)
    room = [np.empty(count, np.int64), np.empty(count, np.int64), np.empty((count, 2)), fold.copy()]
    before = [each.copy() for each in room]
    for one, values in zip(before, (order, area[order], gain[order], fold[order]), strict=True):
        one[:had] = values
    grew = random.permutation(order)[:grows]
    fresh = np.flatnonzero(area == 0)
    has_grown = np.isin(np.arange(count), grew)
    area[grew] += random.integers(1, 9, grows)
    gain[grew] += 1
    area[fresh] = random.integers(1, 30, fresh.size)
    grown, places = np.empty((2, count), np.int64)
    many = take_out(before[0][:had], before[1], fresh, has_grown, grown, places)
    assert sorted(grown[:many]) == sorted([*grew, *fresh])
    sort_grown(grown[:many], places[:many], area)
    merge(
        (before[0][:had], *before[1:]), grown[:many], places[:many], (area, gain, fold), tuple(room)
    )
    all_of_them = np.concatenate([order, fresh])
    wanted = all_of_them[np.argsort(-area[all_of_them], kind="stable")]
    for one, values in zip(room, (wanted, area[wanted], gain[wanted], fold[wanted]), strict=True):
        np.testing.assert_array_equal(one, values)
