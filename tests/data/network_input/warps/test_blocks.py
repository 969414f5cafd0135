"""Blocks of voxels: against numpy where voxels stay whole, against scipy and a ramp elsewhere."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lamina.data.network_input.warps.blocks import Planes, Voxels
from lamina.data.network_input.warps.look import look
from lamina.data.transforms import (
    Affine,
    Elastic,
    Flip,
    GridDistort,
    OpticalDistort,
    Rot90,
    Warp,
    Where,
)
from lamina.data.transforms.affine import Placement
from lamina.geometry.region import Region

IMAGE = np.random.default_rng(0).integers(0, 255, (2, 30, 64, 80)).astype(np.uint8)
REGION = Region((8, 16, 20), (20, 48, 52))
CROP = IMAGE[:, 8:20, 16:48, 20:52]
TURN = Placement(0.4, 1.1, 0.9, 2.3, -1.6)
TILT = Placement(0.3, 1.1, 0.9, 2.3, -1.6, 1.1, 0.7, (0.2, -0.15))


def seen(
    picked: list[tuple[Warp, Any]], stored: NDArray[Any] = IMAGE, *, smooth: bool = True
) -> NDArray[Any]:
    view = look(REGION, picked)
    assert view.window.within(stored.shape[1:])
    return view.show(stored[(slice(None), *view.window.slices)], smooth=smooth)


@pytest.mark.parametrize("axes", ["z", "y", "x", "zy", "zyx"])
@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_flips_and_quarter_turns_reorder_whole_voxels(axes: str, quarters: int) -> None:
    picked: list[tuple[Warp, Any]] = [(Flip(axes="zyx"), axes), (Rot90(), quarters)]
    flipped = np.flip(CROP, [1 + "zyx".index(axis) for axis in axes])
    expected = np.rot90(flipped, quarters, (2, 3))
    np.testing.assert_array_equal(seen(picked), expected)
    np.testing.assert_array_equal(seen(picked, smooth=False), expected)
    assert isinstance(look(REGION, picked), Planes)


@pytest.mark.parametrize(
    ("warp", "picked"),
    [
        (Affine(), TURN),
        (Elastic(p=1, alpha=60), None),
        (GridDistort(p=1), None),
        (OpticalDistort(p=1), None),
    ],
)
def test_in_the_plane_every_plane_is_what_it_is_as_an_image(warp: Warp, picked: Any) -> None:
    what = picked or warp.pick(REGION.shape, np.random.default_rng(3))
    block = look(REGION, [(warp, what), (Flip(axes="zyx"), "zx")])
    stored = IMAGE[:, 8:20]
    found = block.show(IMAGE[(slice(None), *block.window.slices)], smooth=True)
    flat = look(Region(REGION.start[1:], REGION.stop[1:]), [(warp, what), (Flip(), "x")])
    assert block.window.start[1:] == flat.window.start
    for number in range(12):
        plane = stored[(slice(None), 11 - number, *flat.window.slices)]
        np.testing.assert_array_equal(found[:, number], flat.show(plane, smooth=True))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("picked", [TILT, TURN._replace(scale_planes=1.3, behind=0.4)])
def test_interpolation_agrees_with_scipy(picked: Placement, dtype: type[np.generic]) -> None:
    stored = IMAGE.astype(dtype)
    found = seen([(Affine(axes="zyx"), picked)], stored)
    planes, rows, columns = np.ix_(*(np.arange(n) - (n - 1) / 2 for n in REGION.shape))
    where = Affine().move(Where(rows, columns, planes), picked)
    assert where.planes is not None
    middle = [(a + b - 1) / 2 for a, b in zip(REGION.start, REGION.stop, strict=True)]
    axes = np.broadcast_arrays(where.planes, where.rows, where.columns)
    source = [axis + at for axis, at in zip(axes, middle, strict=True)]
    assert found.dtype == dtype
    rounding = 0.0 if dtype == np.float32 else 0.5
    # In the plane cv2.remap knows 32 places between two pixels, which differ by up to 255 here.
    coarse = 255 / 32 if isinstance(look(REGION, [(Affine(), picked)]), Planes) else 0.0
    for channel, out in zip(stored.astype(np.float64), found, strict=True):
        expected = map_coordinates(channel, source, order=1, mode="nearest")
        assert np.abs(out - expected).max() <= rounding + coarse + 0.02


@pytest.mark.parametrize("picked", [TILT, TURN._replace(scale_planes=1.3, behind=0.4)])
def test_masks_keep_their_values_and_follow_the_image(picked: Placement) -> None:
    planes, rows, columns = np.indices(IMAGE.shape[1:])
    ball = ((planes - 14) ** 2 + (rows - 32) ** 2 + (columns - 36) ** 2 < 64).astype(np.uint8)
    labels, image = ball[None] * 7, ball[None].astype(np.float32)
    warp = [(Affine(axes="zyx"), picked)]
    found = seen(warp, labels, smooth=False)
    assert set(np.unique(found)) == {0, 7}
    apart = (found[0] == 7) != (seen(warp, image)[0] > 0.5)
    assert apart.mean() < 0.01


RAMPS = np.stack(np.indices((60, 80, 90))).astype(np.float32)
PICKS: list[tuple[Warp, Any]] = [
    (Flip(axes="zyx"), "zx"),
    (Rot90(), 1),
    (Affine(axes="zyx"), TILT),
    (Affine(), TURN),
    (Elastic(p=1, alpha=60, axes="zyx"), None),
    (Elastic(p=1, alpha=60), None),
    (GridDistort(p=1), None),
    (OpticalDistort(p=1, limit=0.3, shift=2), None),
]


@pytest.mark.parametrize(("warp", "picked"), PICKS)
def test_a_ramp_volume_shows_where_each_voxel_comes_from(warp: Warp, picked: Any) -> None:
    """A volume of its own places, seen through a warp, is the map of that warp."""
    region = Region((24, 24, 28), (36, 56, 60))
    what = picked or warp.pick(region.shape, np.random.default_rng(5))
    view = look(region, [(warp, what)])
    found = view.show(RAMPS[(slice(None), *view.window.slices)], smooth=True)
    planes, rows, columns = np.ix_(
        *(np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2) for n in region.shape)
    )
    where = warp.move(Where(rows, columns, planes), what)
    assert where.planes is not None
    for axis, places in enumerate((where.planes, where.rows, where.columns)):
        middle = (region.start[axis] + region.stop[axis] - 1) / 2
        # cv2.remap knows 32 places between two pixels
        np.testing.assert_allclose(
            found[axis], np.broadcast_to(places + middle, region.shape), atol=0.04
        )


INVERSES = [
    ((Flip(axes="zyx"), "zyx"), (Flip(axes="zyx"), "zyx")),
    ((Rot90(), 1), (Rot90(), 3)),
    (
        (Affine(axes="zyx"), Placement(0.4, 1.25, 1.25, 0.0, 0.0, 1.25)),
        (Affine(axes="zyx"), Placement(-0.4, 0.8, 0.8, 0.0, 0.0, 0.8)),
    ),
    (
        (Affine(axes="zyx"), Placement(0.0, 1.0, 1.0, 3.0, -2.5, 1.0, 1.5)),
        (Affine(axes="zyx"), Placement(0.0, 1.0, 1.0, -3.0, 2.5, 1.0, -1.5)),
    ),
    (
        (Affine(axes="zyx"), Placement(0.0, 1.0, 1.0, 0.0, 0.0, tilts=(0.3, 0.0))),
        (Affine(axes="zyx"), Placement(0.0, 1.0, 1.0, 0.0, 0.0, tilts=(-0.3, 0.0))),
    ),
]


@pytest.mark.parametrize(("there", "back"), INVERSES)
def test_a_warp_and_its_inverse_leave_a_ramp_volume_as_it_is(
    there: tuple[Warp, Any], back: tuple[Warp, Any]
) -> None:
    region = Region((24, 24, 28), (36, 56, 60))
    view = look(region, [there, back])
    found = view.show(RAMPS[(slice(None), *view.window.slices)], smooth=True)
    np.testing.assert_allclose(found, RAMPS[(slice(None), *region.slices)], atol=0.04)


def test_voxels_are_interpolated_only_where_planes_do_not_stay_apart() -> None:
    assert isinstance(look(REGION, [(Affine(axes="zyx"), TILT)]), Voxels)
    assert isinstance(look(REGION, [(Affine(), TURN)]), Planes)
    assert isinstance(look(REGION, [(Affine(axes="zyx"), TURN._replace(behind=0.3))]), Planes)


def test_warps_act_in_recipe_order() -> None:
    shift = (Affine(axes="zyx"), Placement(0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 4.0))
    flip = (Flip(axes="zyx"), "z")
    np.testing.assert_array_equal(seen([shift, flip]), IMAGE[:, 4:16, 16:48, 20:52][:, ::-1])
    np.testing.assert_array_equal(seen([flip, shift]), IMAGE[:, 12:24, 16:48, 20:52][:, ::-1])


def test_a_quarter_of_tilt_exchanges_planes_and_rows() -> None:
    region = Region((8, 26, 20), (20, 38, 52))  # as many planes as rows
    tilt = Placement(0.0, 1.0, 1.0, 0.0, 0.0, tilts=(math.pi / 2, 0.0))
    view = look(region, [(Affine(axes="zyx"), tilt)])
    found = view.show(IMAGE[(slice(None), *view.window.slices)], smooth=False)
    np.testing.assert_array_equal(found, np.rot90(IMAGE[(slice(None), *region.slices)], 1, (1, 2)))
