"""Boxes by hand, and against what numpy cuts out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.geometry.region import Region

spans = st.tuples(st.integers(-9, 9), st.integers(0, 9))


def box(*pairs: tuple[int, int]) -> Region:
    return Region(tuple(a for a, _ in pairs), tuple(a + n for a, n in pairs))


def test_shape_and_slices_cut_what_they_say() -> None:
    region = Region((1, 2), (3, 6))
    assert region.shape == (2, 4)
    assert np.arange(40).reshape(4, 10)[region.slices].tolist() == [
        [12, 13, 14, 15],
        [22, 23, 24, 25],
    ]


def test_the_whole_region_covers_the_shape() -> None:
    assert Region.whole((4, 5, 6)) == Region((0, 0, 0), (4, 5, 6))
    assert Region.whole((4, 5)).within((4, 5))


@pytest.mark.parametrize(
    ("region", "inside"),
    [
        (Region((0, 0), (4, 5)), True),
        (Region((3, 4), (4, 5)), True),
        (Region((-1, 0), (4, 5)), False),
        (Region((0, 0), (4, 6)), False),
        (Region((0,), (4,)), False),  # another number of axes
        (Region((4, 5), (4, 5)), True),  # empty, at the end
    ],
)
def test_within_is_said_of_boxes_that_stay_in(region: Region, inside: bool) -> None:
    assert region.within((4, 5)) is inside


def test_a_box_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="as many stops as starts"):
        Region((0, 0), (1,))
    with pytest.raises(ValueError, match="stop before it starts"):
        Region((0, 2), (1, 1))


@given(spans, spans)
def test_clip_keeps_exactly_the_pixels_inside(
    rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    region, shape = box(rows, columns), (5, 7)
    clipped = region.clip(shape)
    assert clipped.within(shape)
    inside = {
        (r, c)
        for r in range(region.start[0], region.stop[0])
        for c in range(region.start[1], region.stop[1])
        if 0 <= r < 5 and 0 <= c < 7
    }
    kept = {
        (r, c)
        for r in range(clipped.start[0], clipped.stop[0])
        for c in range(clipped.start[1], clipped.stop[1])
    }
    assert kept == inside


@given(spans, spans)
def test_shift_there_and_back_is_the_same_box(rows: tuple[int, int], move: tuple[int, int]) -> None:
    region = box(rows, (3, 4))
    moved = region.shift(move)
    assert moved.shape == region.shape
    assert moved.start == (region.start[0] + move[0], region.start[1] + move[1])
    assert moved.shift((-move[0], -move[1])) == region


@given(spans, spans, spans, spans)
def test_two_regions_share_exactly_the_pixels_of_both(
    rows: tuple[int, int],
    columns: tuple[int, int],
    other_rows: tuple[int, int],
    other_columns: tuple[int, int],
) -> None:
    one, other = box(rows, columns), box(other_rows, other_columns)
    shared = one.clip_to(other)
    expected = [
        set(range(a, b)) & set(range(c, d))
        for a, b, c, d in zip(one.start, one.stop, other.start, other.stop, strict=True)
    ]
    kept = [set(range(a, b)) for a, b in zip(shared.start, shared.stop, strict=True)]
    if all(expected):
        assert kept == expected
    else:
        assert 0 in shared.shape
