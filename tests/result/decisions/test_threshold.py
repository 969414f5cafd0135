"""Threshold, minimum area and minimum component, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from lamina.errors import RecipeError
from lamina.result.decisions import Threshold


def test_strictly_above_the_threshold() -> None:
    prob = np.array([[[0.4, 0.5, 0.50048828]]], np.float16)
    assert Threshold()(prob).tolist() == [[[False, False, True]]]


def test_a_threshold_between_two_float16_values_is_not_rounded_up_or_down() -> None:
    low, high = np.float16(0.3), np.nextafter(np.float16(0.3), np.float16(1))
    prob = np.array([[[low, high]]])
    between = float(low) + 0.9 * (float(high) - float(low))
    assert Threshold(threshold=between)(prob).tolist() == [[[False, True]]]


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


def test_a_list_of_the_wrong_length_is_refused_with_both_lengths() -> None:
    with pytest.raises(RecipeError, match=r"decide\.threshold lists 2 numbers .* for 1 classes"):
        Threshold(threshold=(0.5, 0.5))(np.zeros((1, 2, 2), np.float32))


@pytest.mark.parametrize(
    "options", [{"threshold": 1.5}, {"threshold": ()}, {"min_area": -1}, {"min_component": (3, -2)}]
)
def test_numbers_outside_their_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Threshold.model_validate(options)
