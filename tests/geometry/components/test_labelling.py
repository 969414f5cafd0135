"""Connected parts by hand and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from lamina.geometry.components.labelling import Connectivity, drop_small, part_sizes, sizes

Mask = NDArray[np.bool_]
ORDER: dict[int, int] = {4: 1, 8: 2, 6: 1, 18: 2, 26: 3}  # scipy's name of each neighbourhood


def drawn(*rows: str) -> Mask:
    return np.array([[letter == "#" for letter in row] for row in rows])


def scipy_label(mask: Mask, connectivity: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    shape = ndimage.generate_binary_structure(mask.ndim, ORDER[connectivity])
    labels, _ = ndimage.label(mask, shape)
    return labels, np.bincount(labels.ravel())


def test_corners_join_parts_in_eight_neighbours_and_not_in_four() -> None:
    mask = drawn("##...", "..#..", "....#")
    assert sizes(mask).tolist() == [3, 1]
    assert sizes(mask, 4).tolist() == [2, 1, 1]
    np.testing.assert_array_equal(drop_small(mask, 3), drawn("##...", "..#..", "....."))
    np.testing.assert_array_equal(drop_small(mask, 2, 4), drawn("##...", ".....", "....."))


def test_a_part_of_exactly_the_minimum_stays() -> None:
    mask = drawn("###", "...", "##.")
    np.testing.assert_array_equal(drop_small(mask, 3), drawn("###", "...", "..."))
    np.testing.assert_array_equal(drop_small(mask, 2), mask)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.0, 0.2, 0.45, 1.0]),
    minimum=st.integers(0, 12),
    connectivity=st.sampled_from([4, 8, 6, 18, 26]),
    turned=st.booleans(),
)
def test_agrees_with_scipy(
    seed: int, share: float, minimum: int, connectivity: Connectivity, turned: bool
) -> None:
    shape = (13, 17) if connectivity in (4, 8) else (5, 7, 9)
    mask = np.random.default_rng(seed).random(shape) < share
    mask = mask.T if turned else mask  # F order
    labels, counts = scipy_label(mask, connectivity)
    assert sizes(mask, connectivity).tolist() == sorted(counts[1:].tolist(), reverse=True)
    kept = mask & (counts[labels] >= minimum)
    np.testing.assert_array_equal(drop_small(mask, minimum, connectivity), kept)
    np.testing.assert_array_equal(part_sizes(mask, connectivity), np.where(mask, counts[labels], 0))


def test_all_neighbours_count_by_default() -> None:
    mask = np.random.default_rng(0).random((6, 7, 8)) < 0.3
    np.testing.assert_array_equal(drop_small(mask, 4), drop_small(mask, 4, 26))
    flat = mask[0]
    np.testing.assert_array_equal(drop_small(flat, 4), drop_small(flat, 4, 8))


def test_the_answer_is_a_new_mask() -> None:
    mask = drawn("#.", ".#")
    for minimum in (0, 1, 2, 9):
        before = mask.copy()
        drop_small(mask, minimum)[...] = True
        np.testing.assert_array_equal(mask, before)


def test_masks_without_pixels_have_no_parts() -> None:
    assert sizes(np.zeros((0, 4), np.bool_)).tolist() == []
    assert drop_small(np.zeros((0, 4), np.bool_), 5).shape == (0, 4)


def test_what_is_no_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="not in float64"):
        drop_small(np.zeros((3, 3)), 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="two or three axes"):
        sizes(np.zeros(3, np.bool_))
    with pytest.raises(ValueError, match="connectivity 26 does not fit 2 axes"):
        drop_small(np.zeros((3, 3), np.bool_), 2, 26)


@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_as_many_parts_as_there_can_be(connectivity: Connectivity) -> None:
    """Every second voxel along each axis, for which cc3d by itself makes too little room."""
    for shape in ((1, 1, 1), (1, 1, 3), (3, 1, 1), (1, 5, 3), (3, 3, 3), (5, 5, 5)):
        mask = np.zeros(shape, np.bool_)
        mask[::2, ::2, ::2] = True
        assert sizes(mask, connectivity).tolist() == [1] * int(mask.sum())
