"""Parts at every threshold by hand, and against labelling every threshold anew."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lamina.result.search.components.tree import LEVELS, Parts, find_parts


def at(parts: Parts, level: int) -> Counter[tuple[int, int, int]]:
    there = (parts.low <= level) & (parts.high >= level)
    columns = (parts.area[there], parts.predicted[there], parts.positives[there])
    return Counter(zip(*(column.tolist() for column in columns), strict=True))


def test_two_hills_join_where_the_valley_is_taken_in() -> None:
    prob = np.array([[0.75, 0.25, 0.5, 0.0]], np.float16)
    found = find_parts(prob, np.array([[True, False, False, False]]))
    assert at(found, 192) == {}  # nothing is above 0.75
    assert at(found, 191) == {(1, 1, 1): 1}
    assert at(found, 128) == {(1, 1, 1): 1}
    assert at(found, 127) == {(1, 1, 1): 1, (1, 1, 0): 1}
    assert at(found, 64) == at(found, 127)
    assert at(found, 63) == at(found, 1) == {(3, 3, 1): 1}
    assert found.high.size == 3
    assert found.truth == 1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(7, 9), (1, 12), (4, 5, 4)]))
def test_agrees_with_labelling_every_threshold(seed: int, shape: tuple[int, ...]) -> None:
    chance = np.random.default_rng(seed)
    prob = chance.choice([0.0, 1e-4, 0.25, 0.3, 0.5, 0.502, 0.9, 1.0], shape).astype(np.float16)
    target, valid = chance.random(shape) < 0.4, chance.random(shape) < 0.8
    found = find_parts(prob, target, valid)
    assert (np.diff(found.high.astype(int)) <= 0).all()
    assert found.truth == (target & valid).sum()
    touching = np.ones((3,) * len(shape), bool)
    for level in (1, 63, 64, 76, 77, 127, 128, 129, 230, 231, LEVELS - 1):
        labels, count = ndimage.label(prob > np.float16(level / LEVELS), touching)
        expected: Counter[tuple[int, int, int]] = Counter()
        for number in range(1, count + 1):
            part: NDArray[np.bool_] = labels == number
            counted = part & valid
            expected[int(part.sum()), int(counted.sum()), int((counted & target).sum())] += 1
        assert at(found, level) == expected


def test_an_empty_map_has_no_parts_and_shapes_must_agree() -> None:
    found = find_parts(np.zeros((3, 4)), np.ones((3, 4), np.bool_))
    assert (found.high.size, found.truth) == (0, 12)
    with pytest.raises(ValueError, match="must be equal"):
        find_parts(np.zeros((3, 4)), np.ones((4, 3), np.bool_))
