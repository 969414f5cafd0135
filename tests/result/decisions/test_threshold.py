"""Threshold, minimum area and minimum component, by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import ValidationError

from lamina.errors import RecipeError
from lamina.result.decisions import Argmax, Decision, Threshold, Triplet


def test_strictly_above_the_threshold() -> None:
    prob = np.array([[[0.4, 0.5, 0.50048828]]], np.float16)
    assert Threshold()(prob).tolist() == [[[False, False, True]]]


def test_a_threshold_between_two_float16_values_is_not_rounded_up_or_down() -> None:
    low, high = np.float16(0.3), np.nextafter(np.float16(0.3), np.float16(1))
    prob = np.array([[[low, high]]])
    between = float(low) + 0.9 * (float(high) - float(low))
    assert Threshold(threshold=between)(prob).tolist() == [[[False, True]]]


@pytest.mark.parametrize("threshold", [0, 1e-9, 0.1, 1 / 3, 0.5, 0.7, 0.99951, 1])
def test_every_float16_value_is_compared_as_a_number(threshold: float) -> None:
    prob = np.arange(15361, dtype=np.uint16).view(np.float16).reshape(1, 1, -1)
    wanted = prob.astype(np.float64) > float(np.float32(threshold))
    for stored in (prob, prob.astype(np.float32), np.append(prob, -prob, axis=1)[:, :1]):
        np.testing.assert_array_equal(Threshold(threshold=threshold)(stored), wanted)


def test_values_beyond_probabilities_are_compared_too() -> None:
    prob = np.array([[[-0.0, -0.5, np.nan, 2.0, 0.75]]], np.float16)
    assert Threshold(threshold=0)(prob).tolist() == [[[False, False, False, True, True]]]


def test_each_class_has_its_own_numbers_and_one_is_never_predicted() -> None:
    prob = np.full((3, 2, 2), 0.6, np.float32)
    prob[2] = 1.0
    masks = Threshold(threshold=(0.5, 0.7, 1.0))(prob)
    assert masks.any(axis=(1, 2)).tolist() == [True, False, False]


def test_small_parts_go_before_the_area_is_counted() -> None:
    prob = np.zeros((1, 4, 6), np.float32)
    prob[0, 0, 0] = prob[0, 1, 1] = 1  # touch at a corner: one part of two pixels
    prob[0, 3, 3:] = 1  # one part of three
    assert Threshold(min_component=3)(prob).sum() == 3
    assert Threshold(min_area=5)(prob).sum() == 5
    assert Threshold(min_area=4, min_component=3)(prob).sum() == 0


def test_a_volume_is_decided_as_a_whole() -> None:
    prob = np.zeros((1, 2, 3, 3), np.float32)
    prob[0, 0, 0, 0] = prob[0, 1, 1, 1] = 1  # neighbours across the slices
    assert Threshold(min_component=2)(prob).sum() == 2
    assert Threshold(min_area=3)(prob).sum() == 0


def rows(*lines: str) -> NDArray[np.float32]:
    return np.array([[[letter == "#" for letter in line] for line in lines]], np.float32)


def test_a_larger_part_clears_other_classes_beneath_it() -> None:
    """STEEL-22: parts of all classes are painted from small to large."""
    prob = np.concatenate([rows("####..", "####..", "......"), rows("...###", "...#..", "......")])
    masks = Threshold(overlap="largest")(prob)
    assert masks[0].astype(int).tolist() == [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 0, 0], [0] * 6]
    assert masks[1].astype(int).tolist() == [[0, 0, 0, 0, 1, 1], [0] * 6, [0] * 6]
    assert Threshold()(prob).sum() == 12  # by default both keep their pixels


def test_a_class_loses_its_area_to_paint_before_it_is_emptied() -> None:
    prob = np.concatenate([rows("####", "####"), rows("..##", "....")])
    kept = Threshold(overlap="largest", min_area=2)(prob)
    assert kept.sum(axis=(1, 2)).tolist() == [8, 0]
    assert Threshold(min_area=2)(prob).sum(axis=(1, 2)).tolist() == [8, 2]


def slow_paint(prob: NDArray[np.float32], minimum: int, areas: list[int]) -> NDArray[np.bool_]:
    """STEEL-22 word by word."""
    parts = []
    for k, plane in enumerate(prob):
        count, labels = cv2.connectedComponents((plane > 0.5).astype(np.uint8), connectivity=8)
        parts += [(int((labels == i).sum()), k, labels == i) for i in range(1, count)]
    canvas = np.zeros(prob.shape, np.bool_)
    for size, k, part in sorted(parts, key=lambda one: one[:2]):
        if size >= minimum:
            canvas[:, part] = False
            canvas[k, part] = True
    for k, area in enumerate(areas):
        if canvas[k].sum() < area:
            canvas[k] = False
    return canvas


@settings(max_examples=60)
@given(arrays(np.float32, (3, 7, 9), elements=st.sampled_from([0.0, 0.5, 0.75])), st.integers(1, 6))
def test_agrees_with_painting_part_by_part(prob: NDArray[np.float32], minimum: int) -> None:
    decide = Threshold(min_component=minimum, min_area=(0, 5, 12), overlap="largest")
    np.testing.assert_array_equal(decide(prob), slow_paint(prob, minimum, [0, 5, 12]))


def test_a_list_of_the_wrong_length_is_refused_with_both_lengths() -> None:
    with pytest.raises(RecipeError, match=r"decide\.threshold lists 2 numbers .* for 1 classes"):
        Threshold(threshold=(0.5, 0.5))(np.zeros((1, 2, 2), np.float32))


@pytest.mark.parametrize(
    "options", [{"threshold": 1.5}, {"threshold": ()}, {"min_area": -1}, {"min_component": (3, -2)}]
)
def test_numbers_outside_their_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Threshold.model_validate(options)


@pytest.mark.parametrize(
    ("decision", "summary"),
    [
        (Threshold(), "threshold 0.5"),
        (Threshold(threshold=(0.4, 0.61), min_area=(0, 40)), "threshold 0.4, 0.61; min_area 0, 40"),
        (
            Threshold(foreground=0.25, overlap="largest"),
            "threshold 0.5; overlap largest; foreground 0.25",
        ),
        (Triplet(), "triplet; top 0.75; area 2000; bottom 0.3; unit image"),
        (Argmax(), "argmax"),
    ],
)
def test_a_decision_in_words(decision: Decision, summary: str) -> None:
    assert decision.summary == summary
