"""Outlines by hand: what encloses too little goes, small holes are filled, large ones stay."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.geometry.contours import drop_contours


def ring(hole: int) -> np.ndarray:
    mask = np.zeros((30, 30), np.bool_)
    mask[5:25, 5:25] = True
    start = 15 - hole // 2
    mask[start : start + hole, start : start + hole] = False
    return mask


def test_a_small_hole_is_filled_and_a_large_one_stays() -> None:
    """SIIM-30."""
    solid = ring(0)
    # a hole's outline runs over the pixels around it: 4 x 4 pixels, cut at the corners, enclose 23
    assert (drop_contours(ring(4), 23) == solid).all()
    assert (drop_contours(ring(4), 22) == ring(4)).all()
    assert (drop_contours(ring(8), 22) == ring(8)).all()


def test_the_area_is_that_of_the_polygon_not_of_the_pixels() -> None:
    mask = np.zeros((12, 12), np.bool_)
    mask[1:6, 1:6] = True  # 25 pixels; the polygon through their centres is 4 x 4
    assert drop_contours(mask, 15.9).sum() == 25
    assert not drop_contours(mask, 16).any()
    line = np.zeros((12, 12), np.bool_)
    line[3] = True  # encloses nothing
    assert not drop_contours(line, 0).any()


def test_the_input_stays_and_other_shapes_are_refused() -> None:
    mask = ring(4)
    before = mask.copy()
    drop_contours(mask, 1000)
    assert (mask == before).all()
    with pytest.raises(ValueError, match="bool mask"):
        drop_contours(mask.astype(np.uint8), 1)
    with pytest.raises(ValueError, match="bool mask"):
        drop_contours(mask[None], 1)
