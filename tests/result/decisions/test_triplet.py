"""Top, area and bottom by hand, by image and by part, and the outline filter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lamina.errors import RecipeError
from lamina.geometry.components.labelling import keep_seeded
from lamina.result.decisions import Triplet

STRIP = np.array([[[0.3, 0.75, 0.8, 0.8, 0.31, 0.0, 0.5, 0.5]]], np.float32)


def test_all_comparisons_are_strict() -> None:
    """SIIM-23: empty if count(p > top) < area; else p > bottom."""
    shown = [[False, True, True, True, True, False, True, True]]
    assert Triplet(top=0.75, area=2, bottom=0.3)(STRIP)[0].tolist() == shown
    assert not Triplet(top=0.75, area=3, bottom=0.3)(STRIP).any()  # 0.75 is not above 0.75
    assert not Triplet(top=0.8, area=1, bottom=0.3)(STRIP).any()
    assert Triplet(top=0.8, area=0, bottom=0.3)(STRIP).sum() == 6


def test_published_numbers_are_triplets() -> None:
    """SIIM-24, SIIM-29: on validation (0.75, 2000, 0.3), on the public board (0.7, 600, 0.3)."""
    prob = np.full((1, 64, 64), 0.31, np.float32)
    prob[0, :20, :40] = 0.72  # 800 pixels
    assert not Triplet(top=0.75, area=2000, bottom=0.3)(prob).any()
    assert Triplet(top=0.7, area=600, bottom=0.3)(prob).all()
    assert Triplet(top=0.7, area=800, bottom=0.3)(prob).all()
    assert not Triplet(top=0.7, area=1000, bottom=0.25)(prob).any()


def test_a_part_stays_by_its_own_sure_pixels() -> None:
    decide = Triplet(top=0.75, area=2, bottom=0.3, unit="component")
    assert decide(STRIP)[0].tolist() == [[False, True, True, True, True, False, False, False]]
    assert not Triplet(top=0.75, area=3, bottom=0.3, unit="component")(STRIP).any()
    image = Triplet(top=0.4, area=5, bottom=0.3)(STRIP)
    assert image.sum() == 6  # over the image there are five
    assert not Triplet(top=0.4, area=5, bottom=0.3, unit="component")(STRIP).any()


def test_one_number_for_each_class_and_thresholds_finer_than_the_map() -> None:
    prob = np.repeat(STRIP, 2, axis=0).astype(np.float16)
    found = Triplet(top=(0.75, 0.5), area=(3, 3), bottom=(0.3, 0.49))(prob)
    assert found.sum(axis=(1, 2)).tolist() == [0, 5]
    between = float(np.float16(0.8)) - 1e-5  # float16 has no number there
    assert Triplet(top=between, area=2, bottom=0.3)(prob)[0].any()
    with pytest.raises(RecipeError, match=r"decide\.area lists 2 numbers"):
        Triplet(area=(1, 2))(prob[:1])


def test_volumes_are_decided_as_a_whole() -> None:
    prob = np.zeros((1, 3, 4, 4), np.float32)
    prob[0, :, 0, 0], prob[0, 0, 3, 3] = 0.9, 0.9
    assert Triplet(top=0.5, area=3, bottom=0.5, unit="component")(prob).sum() == 3
    assert Triplet(top=0.5, area=3, bottom=0.5)(prob).sum() == 4
    with pytest.raises(RecipeError, match=r"decide\.contour is 3, for images"):
        Triplet(contour=3)(prob)


def test_small_outlines_go_after_the_decision() -> None:
    """SIIM-30."""
    prob = np.zeros((1, 20, 20), np.float32)
    prob[0, 2:12, 2:12] = 0.9  # outline of 9 x 9
    prob[0, 4:6, 4:6] = 0.0  # a small hole: it is filled
    prob[0, 14:17, 14:17] = 0.9  # outline of 2 x 2
    loose = Triplet(top=0.5, area=100, bottom=0.5)
    assert loose(prob).sum() == 96 + 9
    kept = loose.model_copy(update={"contour": 15})(prob)[0]
    assert kept.sum() == 100
    assert kept[2:12, 2:12].all()


@pytest.mark.parametrize(
    "options",
    [
        {"top": 1.5},
        {"area": -1},
        {"bottom": ()},
        {"contour": -1},
        {"search": {"pairs": [[0.75, 1000]], "top": [0.5]}},
        {"search": {"levels": 100}},
        {"search": {"top": []}},
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Triplet.model_validate(options)


def test_seeds_outside_the_mask_do_not_count() -> None:
    mask = np.array([[True, False, True]])
    seeds = np.array([[True, True, False]])
    assert keep_seeded(mask, seeds, 1).tolist() == [[True, False, False]]
    assert keep_seeded(mask, seeds, 0).tolist() == mask.tolist()
    with pytest.raises(ValueError, match="seeds"):
        keep_seeded(mask, seeds[:, :2], 1)
