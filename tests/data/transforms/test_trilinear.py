"""Compiled sampling against scipy, at places within a block, on its border and beyond."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline
from scipy.ndimage import map_coordinates

from lamina.data.transforms.trilinear import linear, nearest, spline

BLOCK = np.random.default_rng(0).integers(0, 60000, (5, 7, 9))
CHANCE = np.random.default_rng(1)
PLACES = [CHANCE.uniform(-2, side + 1, (4, 6, 8)).astype(np.float32) for side in BLOCK.shape]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_values_between_voxels_are_those_of_scipy(dtype: type[np.generic]) -> None:
    block = BLOCK.astype(dtype)
    expected = map_coordinates(block.astype(np.float64), PLACES, order=1, mode="nearest")
    found = linear(block, *PLACES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=0.02)


def test_whole_places_are_the_voxels_themselves() -> None:
    planes, rows, columns = (one.astype(np.float32) for one in np.indices(BLOCK.shape))
    block = BLOCK.astype(np.float32)
    np.testing.assert_array_equal(linear(block, planes, rows, columns), block)
    np.testing.assert_array_equal(nearest(block, planes, rows, columns), block)


def test_the_nearest_voxel_keeps_value_and_type() -> None:
    labels = BLOCK.astype(np.uint16)
    at = [np.rint(p).clip(0, n - 1).astype(int) for p, n in zip(PLACES, BLOCK.shape, strict=True)]
    found = nearest(labels, *PLACES)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, labels[tuple(at)])


def test_blocks_and_places_of_any_layout_are_read() -> None:
    turned = BLOCK.astype(np.float32).transpose(2, 1, 0)[:, ::-1]
    places = [np.broadcast_to(np.float32(k), (2, 3, 4)) for k in (3, 2, 1)]
    np.testing.assert_array_equal(linear(turned, *places), np.full((2, 3, 4), turned[3, 2, 1]))


def test_the_spline_is_a_cubic_b_spline() -> None:
    step = 2.5
    knots = np.random.default_rng(2).random((3, 8), np.float32)
    places = np.linspace(0, 5 * step, 40, dtype=np.float32)
    reference = BSpline(np.arange(-3.0, 9.0) * step, knots.T, 3)
    np.testing.assert_allclose(spline(knots, places, step), reference(places).T, atol=1e-5)
    np.testing.assert_array_equal(
        spline(knots, np.float32([-9, 99]), step), spline(knots, np.float32([0, 5 * step]), step)
    )
