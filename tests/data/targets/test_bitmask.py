"""Masks as bits against the arrays they come from."""

from __future__ import annotations

from pathlib import Path
from random import Random

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.data.readers import open_volume
from lamina.data.targets.bitmask import bits_of
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, read_all


@given(st.integers(1, 20), st.integers(1, 40), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_part_of_a_mask_is_what_is_not_zero_in_the_image(
    h: int, w: int, chance: Random
) -> None:
    pick = chance.randrange
    image = np.random.default_rng(pick(1 << 30)).integers(0, 3, (1, h, w)).astype(np.uint8)
    bits = bits_of(ArrayVolume(image, "yx", "m"))
    np.testing.assert_array_equal(read_all(bits), image != 0)
    top, left = pick(h), pick(w)
    box = Region((top, left), (top + 1 + pick(h - top), left + 1 + pick(w - left)))
    part = bits.read(box)
    np.testing.assert_array_equal(part, image[(slice(None), *box.slices)] != 0)
    assert part.dtype == np.uint8
    assert bits.area(box) == part.sum()
    assert bits.area() == (image != 0).sum()


def test_a_mask_in_equal_colours_counts_and_one_in_different_ones_is_refused(
    tmp_path: Path,
) -> None:
    grey = np.zeros((5, 11), np.uint8)
    grey[2, 3:9] = 255
    cv2.imwrite(str(tmp_path / "m.png"), np.repeat(grey[..., None], 3, 2))
    np.testing.assert_array_equal(read_all(bits_of(open_volume(tmp_path / "m.png")))[0], grey > 0)
    odd = np.repeat(grey[..., None], 3, 2)
    odd[2, 3, 1] = 0
    cv2.imwrite(str(tmp_path / "m.png"), odd)
    with pytest.raises(DataError, match=r"a mask in colours; set data\.labels"):
        bits_of(open_volume(tmp_path / "m.png"))


def test_a_volume_is_no_mask() -> None:
    with pytest.raises(DataError, match="a mask is an image"):
        bits_of(ArrayVolume(np.zeros((1, 2, 3, 4), np.uint8), "zyx"))
