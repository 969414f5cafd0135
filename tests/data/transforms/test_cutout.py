"""Holes by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.transforms import Cutout, Patch
from lamina.errors import OptionError
from lamina.geometry.region import Region

HOLE = (Region((1, 0), (3, 2)),)


def patch() -> Patch:
    ones = np.ones((1, 3, 4), np.uint8)
    return Patch(np.full((2, 3, 4), 7, np.uint8), ones, ones, 0.0, 255.0)


def test_a_hole_is_cut_in_all_channels_and_nothing_else_changes() -> None:
    old = patch()
    new = Cutout().touch(old, HOLE)
    for channel in new.image:
        assert channel.tolist() == [[7, 7, 7, 7], [0, 0, 7, 7], [0, 0, 7, 7]]
    assert (new.target == 1).all()
    assert (old.image == 7).all()


def test_the_target_is_cleared_where_asked_and_the_fill_is_a_fraction_of_the_range() -> None:
    old = patch()
    new = Cutout(fill=0.5, clear_target=True).touch(old, HOLE)
    assert new.image[0, 1].tolist() == [128, 128, 7, 7]
    assert new.target[0].tolist() == [[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1]]
    assert (new.valid == 1).all()
    assert (old.target == 1).all()


def test_the_hole_of_the_ink_recipe_is_115_pixels_wide_and_inside() -> None:
    rng = np.random.default_rng(0)
    tops = []
    for _ in range(500):
        picked = Cutout(p=1, count=2, size=(0.3, 0.3)).pick((384, 400), rng)
        assert picked is not None
        for hole in picked:
            assert hole.shape == (115, 115)
            assert hole.within((384, 400))
            tops.append(hole.start[0])
    assert (min(tops), max(tops)) == (0, 384 - 115)


def test_it_may_not_happen_and_impossible_sizes_are_refused() -> None:
    assert Cutout(p=0).pick((8, 8), np.random.default_rng(0)) is None
    for size in ((0.0, 0.5), (0.5, 0.2), (0.5, 1.5)):
        with pytest.raises(OptionError):
            Cutout(size=size)
