"""One map for everything: against numpy where pixels stay whole, against scipy elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lamina.data.network_input.warps.look import look
from lamina.data.network_input.warps.planes import PixelOrder
from lamina.data.transforms import Affine, Flip, GridDistort, Rot90, Warp
from lamina.data.transforms.affine import Placement
from lamina.geometry.region import Region

IMAGE = np.random.default_rng(0).integers(0, 255, (5, 64, 80)).astype(np.uint8)
REGION = Region((10, 20), (42, 52))
CROP = IMAGE[:, 10:42, 20:52]


def seen(picked: list[tuple[Warp, Any]], *, smooth: bool = True) -> NDArray[Any]:
    view = look(REGION, picked)
    assert view.window.within(IMAGE.shape[1:])
    return view.show(IMAGE[(slice(None), *view.window.slices)], smooth=smooth)


flips = st.sampled_from(["x", "y", "yx"]).map(lambda axes: (Flip(), axes))
turns = st.integers(1, 3).map(lambda quarters: (Rot90(), quarters))


@given(st.lists(st.one_of(flips, turns), max_size=5))
@settings(max_examples=40, deadline=None)
def test_flips_and_turns_in_any_order_equal_numpy_and_interpolate_nothing(
    picked: list[tuple[Warp, Any]],
) -> None:
    assert isinstance(look(REGION, picked), PixelOrder)
    expected = CROP
    for warp, what in picked:
        if isinstance(warp, Flip):
            expected = np.flip(expected, tuple({"y": 1, "x": 2}[axis] for axis in what))
        else:
            expected = np.rot90(expected, what, (1, 2))
    np.testing.assert_array_equal(seen(picked), expected)
    np.testing.assert_array_equal(seen(picked, smooth=False), expected)


def test_a_region_of_odd_and_unequal_sides_can_be_flipped() -> None:
    region = Region((3, 4), (10, 17))
    view = look(region, [(Flip(), "yx")])
    assert view.window == region
    np.testing.assert_array_equal(
        view.show(IMAGE[:, 3:10, 4:17], smooth=True), IMAGE[:, 3:10, 4:17][:, ::-1, ::-1]
    )


def test_turns_by_other_angles_agree_with_quarter_turns_at_90_degrees() -> None:
    quarter = (Affine(), Placement(math.pi / 2, 1.0, 1.0, 0.0, 0.0))
    np.testing.assert_array_equal(seen([quarter]), np.rot90(CROP, 1, (1, 2)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_interpolation_agrees_with_scipy(dtype: type[np.generic]) -> None:
    stored = IMAGE.astype(dtype)
    angle, down, right = 0.4, 2.3, -1.6
    view = look(REGION, [(Affine(), Placement(angle, 1.1, 0.9, down, right))])
    found = view.show(stored[(slice(None), *view.window.slices)], smooth=True)
    rows, columns = np.mgrid[:32, :32] - 15.5
    rows, columns = (rows - down) / 1.1, (columns - right) / 0.9
    source = (
        25.5 + math.cos(angle) * rows + math.sin(angle) * columns,
        35.5 - math.sin(angle) * rows + math.cos(angle) * columns,
    )
    for plane, out in zip(stored.astype(np.float64), found, strict=True):
        expected = map_coordinates(plane, source, order=1)
        tolerance = 0.5 if dtype != np.float32 else 0.0
        assert np.abs(out - expected).max() <= tolerance + 0.02
    assert found.dtype == dtype


def test_masks_keep_their_values() -> None:
    labels = (IMAGE[:1] // 64) * 50
    view = look(REGION, [(Affine(), Placement(0.4, 1.3, 1.3, 0.0, 0.0))])
    found = view.show(labels[(slice(None), *view.window.slices)], smooth=False)
    assert set(np.unique(found)) <= set(np.unique(labels))


def test_what_comes_into_sight_is_real_image() -> None:
    """Zooming out by two shows the surroundings of the region, not its border."""
    ramp = np.broadcast_to(np.arange(80, dtype=np.float32), (1, 64, 80))
    region = Region((24, 30), (40, 50))
    view = look(region, [(Affine(), Placement(0.0, 0.5, 0.5, 0.0, 0.0))])
    found = view.show(ramp[(slice(None), *view.window.slices)], smooth=True)
    np.testing.assert_allclose(found[0, 0], 39.5 + 2 * (np.arange(20) - 9.5), atol=1e-4)


def test_warps_act_in_recipe_order() -> None:
    shift = (Affine(), Placement(0.0, 1.0, 1.0, 0.0, 4.0))
    flip = (Flip(), "x")
    shifted = IMAGE[:, 10:42, 16:48]  # what was 4 pixels to the left
    np.testing.assert_array_equal(seen([shift, flip]), shifted[:, :, ::-1])
    flipped_first = IMAGE[:, 10:42, 24:56][:, :, ::-1]
    np.testing.assert_array_equal(seen([flip, shift]), flipped_first)


def test_rows_and_columns_that_stay_apart_give_the_same_as_full_maps() -> None:
    knots = GridDistort(p=1).pick((32, 32), np.random.default_rng(3))
    apart = look(REGION, [(GridDistort(), knots)])
    tiny = (Affine(), Placement(1e-7, 1.0, 1.0, 0.0, 0.0))  # a turn so small that nothing moves
    full = look(REGION, [(GridDistort(), knots), tiny])
    for a, b in ((apart.rows, full.rows), (apart.columns, full.columns)):  # type: ignore[attr-defined]
        np.testing.assert_allclose(a, b, atol=1e-3)
