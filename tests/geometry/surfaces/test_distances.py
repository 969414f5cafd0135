"""Surfaces and distances by hand, against scipy, and their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from lamina.geometry.surfaces import surface, surface_distances

Masks = NDArray[np.bool_]
masks = array_shapes(min_dims=2, max_dims=3, max_side=7).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


@settings(max_examples=60)
@given(masks)
def test_a_surface_is_the_mask_without_its_erosion(pair: tuple[Masks, Masks]) -> None:
    mask, _ = pair
    np.testing.assert_array_equal(surface(mask), mask & ~binary_erosion(mask))


@settings(max_examples=60)
@given(masks, st.lists(st.sampled_from([0.5, 1.0, 2.5]), min_size=3, max_size=3))
def test_distances_are_those_of_scipy(pair: tuple[Masks, Masks], steps: list[float]) -> None:
    mask, other = pair
    spacing = steps[: mask.ndim]
    if not mask.any() or not other.any():
        with pytest.raises(ValueError, match="empty mask"):
            surface_distances(mask, other, spacing)
        return
    there, back = surface_distances(mask, other, spacing)
    to_other = distance_transform_edt(~surface(other), sampling=spacing)
    to_mask = distance_transform_edt(~surface(mask), sampling=spacing)
    np.testing.assert_allclose(there, to_other[surface(mask)], rtol=1e-12)
    np.testing.assert_allclose(back, to_mask[surface(other)], rtol=1e-12)


def test_two_points_by_hand() -> None:
    mask, other = np.zeros((2, 9, 9), np.bool_)
    mask[1, 1] = other[4, 5] = True
    assert [part.tolist() for part in surface_distances(mask, other)] == [[5.0], [5.0]]
    there, _ = surface_distances(mask, other, (2.0, 1.0))
    assert there.tolist() == pytest.approx([(36 + 16) ** 0.5])


def test_what_does_not_fit_is_refused() -> None:
    mask = np.ones((3, 3), np.bool_)
    with pytest.raises(ValueError, match="spacing"):
        surface_distances(mask, mask, (1.0,))
    with pytest.raises(ValueError, match="masks are"):
        surface_distances(mask, mask[:2])
