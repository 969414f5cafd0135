"""Dice with a tolerance by hand, against scipy and brute force, and its laws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from lamina.errors import RecipeError
from lamina.model.metrics import DiceScore, TolerantDice

Masks = NDArray[np.bool_]
masks = arrays(np.bool_, st.just((2, 3, 5, 6)))


def line(column: int, *, rows: int = 4, columns: int = 8) -> Masks:
    mask = np.zeros((1, rows, columns), np.bool_)
    mask[..., column] = True
    return mask


@pytest.mark.parametrize(
    ("tolerance", "value"), [(0, 0.0), (1.9, 0.0), (2, 1.0), (2.5, 1.0), (100, 1.0)]
)
def test_a_line_two_columns_beside_is_right_from_two_on(tolerance: float, value: float) -> None:
    metric = TolerantDice(tolerance=tolerance)
    assert metric.score([metric.tally(line(2), line(4))]).value == value


def test_diagonals_are_euclidean() -> None:
    one, two = np.zeros((2, 1, 5, 5), np.bool_)
    one[0, 1, 1] = two[0, 2, 2] = True
    for tolerance, near in ((1.41, 0), (2**0.5, 1), (1.5, 1)):
        assert TolerantDice(tolerance=tolerance).tally(one, two)[0].tolist() == [near, 1, near, 1]


def test_a_root_as_tolerance_is_not_lost_to_rounding() -> None:
    one, two = np.zeros((2, 1, 9, 9), np.bool_)
    one[0, 1, 1] = two[0, 3, 4] = True
    assert (13**0.5) ** 2 < 13
    assert TolerantDice(tolerance=13**0.5).tally(one, two)[0].tolist() == [1, 1, 1, 1]


def test_precision_and_recall_by_hand() -> None:
    answer, truth = line(1) | line(7), line(2)  # one line is near, one is not
    metric = TolerantDice(tolerance=1)
    tally = metric.tally(answer, truth)
    assert tally.tolist() == [[4, 8, 4, 4], [4, 8, 4, 4]]
    assert metric.score([tally]).value == pytest.approx(2 * 0.5 * 1 / 1.5)


def test_nothing_against_something_and_against_nothing() -> None:
    metric, nothing = TolerantDice(), np.zeros((1, 4, 8), np.bool_)
    assert metric.score([metric.tally(nothing, line(1))]).value == 0
    assert metric.score([metric.tally(line(1), nothing)]).value == 0
    assert metric.score([metric.tally(nothing, nothing)]).value == 1
    assert TolerantDice(empty="zero").score([metric.tally(nothing, nothing)]).value == 0


def slow(pixels: Masks, goal: Masks, tolerance: float) -> int:
    """Count pixels with a goal within the tolerance, all pairs."""
    goals = np.argwhere(goal)
    return sum(
        any(np.hypot(*(place - other)) <= tolerance + 1e-9 for other in goals)
        for place in np.argwhere(pixels)
    )


@settings(max_examples=25, deadline=None)
@given(masks, masks, st.sampled_from([0.0, 1.0, 2**0.5, 2.0, 5**0.5, 3.0]))
def test_agrees_with_all_pairs_in_every_slice(
    answer: Masks, truth: Masks, tolerance: float
) -> None:
    tally = TolerantDice(tolerance=tolerance).tally(answer, truth)
    pairs = [*zip(answer, truth, strict=True), (answer.any(0), truth.any(0))]
    for row, (a, t) in zip(tally, pairs, strict=True):
        near = [slow(a[z], t[z], tolerance) for z in range(3)]
        found = [slow(t[z], a[z], tolerance) for z in range(3)]
        assert row.tolist() == [sum(near), a.sum(), sum(found), t.sum()]


def test_agrees_with_scipy_on_large_slices() -> None:
    rng = np.random.default_rng(5)
    answer, truth = rng.random((2, 1, 200, 300)) < 0.002
    for tolerance in (1, 3, 7.5, 40):
        tally = TolerantDice(tolerance=tolerance).tally(answer, truth)[0]
        near = distance_transform_edt(~truth[0])[answer[0]] <= tolerance
        found = distance_transform_edt(~answer[0])[truth[0]] <= tolerance
        assert tally.tolist() == [near.sum(), answer.sum(), found.sum(), truth.sum()]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=3))
def test_without_tolerance_it_is_dice(cases: list[tuple[Masks, Masks]]) -> None:
    for over, empty, ignore in itertools.product(
        ("image", "image_class", "pooled", "foreground"), ("one", "zero", "skip"), (False, True)
    ):
        options = {"over": over, "empty": empty, "ignore_first": ignore}
        plain = DiceScore.model_validate(options)
        tolerant = TolerantDice.model_validate({**options, "tolerance": 0})
        one = plain.score([plain.tally(*case) for case in cases])
        two = tolerant.score([tolerant.tally(*case) for case in cases])
        assert two.value == pytest.approx(one.value)
        assert two.classes == pytest.approx(one.classes)


def test_pixels_that_do_not_count_are_neither_right_nor_near() -> None:
    valid = np.ones((4, 8), np.bool_)
    valid[:, 2] = False
    tally = TolerantDice(tolerance=1).tally(line(1), line(2) | line(6), valid)
    assert tally[0].tolist() == [0, 4, 0, 4]


@settings(max_examples=15, deadline=None)
@given(masks, masks)
def test_slabs_add_up_to_their_volume(answer: Masks, truth: Masks) -> None:
    metric = TolerantDice(tolerance=2)
    assert metric.adds_up
    parts = [metric.tally(answer[:, a:b], truth[:, a:b]) for a, b in ((0, 1), (1, 3))]
    np.testing.assert_array_equal(sum(parts), metric.tally(answer, truth))


def test_an_ignored_class_is_not_measured() -> None:
    answer = np.concatenate([~line(2), line(2)])
    truth = np.concatenate([~line(3), line(3)])
    tally = TolerantDice(tolerance=1, ignore_first=True).tally(answer, truth)
    assert tally.tolist() == [[0, 0, 0, 0], [4, 4, 4, 4], [4, 4, 4, 4]]
    with pytest.raises(RecipeError, match="only one output"):
        TolerantDice(ignore_first=True).tally(answer[:1], truth[:1])
    with pytest.raises(ValueError, match="mask is"):
        TolerantDice().tally(answer, truth[:1])


def test_the_title_states_the_tolerance() -> None:
    title = "Dice within 3 pixels per image, any class; empty against empty = 1"
    assert TolerantDice(over="image").title == title
