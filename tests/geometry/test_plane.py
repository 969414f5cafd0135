"""Planes of known dip and azimuth, and what lies in no plane."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.geometry.components.slabs import ComponentMoments, SlabParts
from lamina.geometry.plane import FittedPlane, Grid, centre_of, plane_of


def moments(mask: NDArray[np.bool_]) -> ComponentMoments:
    walk = SlabParts()
    walk.add(mask)
    (found,) = walk.finish()
    return found


def upward(dip: float, azimuth: float) -> NDArray[np.float64]:
    """Return the upward normal of a plane, axes (first level, second level, down)."""
    d, a = math.radians(dip), math.radians(azimuth)
    return np.array([math.sin(d) * math.cos(a), math.sin(d) * math.sin(a), -math.cos(d)])


def slab(
    normal: NDArray[np.float64], side: int = 48, grid: Grid | None = None
) -> NDArray[np.bool_]:
    """Return voxels within one of a plane through the middle, inside a ball."""
    grid = grid or Grid()
    voxels = np.stack(np.mgrid[:side, :side, :side], axis=-1).reshape(-1, 3)
    moved = (voxels - (side - 1) / 2) * grid.spacing
    near = np.abs(moved @ normal) <= max(grid.spacing)
    inside = np.linalg.norm(moved, axis=1) <= side / 2 * min(grid.spacing)
    return np.asarray((near & inside).reshape(side, side, side))


def fitted(mask: NDArray[np.bool_], grid: Grid | None = None) -> FittedPlane:
    found = plane_of(moments(mask), grid or Grid())
    assert found is not None
    return found


@settings(max_examples=20, deadline=None)
@given(st.floats(5, 85), st.floats(0, 359))
def test_dip_and_azimuth_are_found_within_a_degree(dip: float, azimuth: float) -> None:
    plane = fitted(slab(upward(dip, azimuth)))
    assert plane.dip == pytest.approx(dip, abs=1)
    off = (plane.azimuth - azimuth + 180) % 360 - 180
    assert abs(off) * math.sin(math.radians(dip)) < 1
    np.testing.assert_allclose(plane.normal, upward(plane.dip, plane.azimuth), atol=1e-9)
    frame = np.stack([plane.along, plane.dipping, plane.normal])
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-9)
    assert plane.along[2] == 0
    assert plane.dipping[2] > 0  # down
    assert plane.rms < 1


def test_a_roof_by_hand() -> None:
    """Depth grows with the first axis: the plane dips to azimuth 0, by 45 degrees."""
    mask = np.zeros((8, 5, 8), np.bool_)
    for z in range(8):
        mask[z, :, z] = True
    plane = fitted(mask)
    assert (plane.dip, plane.azimuth) == pytest.approx((45, 0))
    assert plane.strike == pytest.approx(270)
    np.testing.assert_allclose(plane.normal, [math.sqrt(0.5), 0, -math.sqrt(0.5)], atol=1e-9)
    np.testing.assert_allclose(plane.centre, [3.5, 2, 3.5])
    assert plane.rms == pytest.approx(0)
    other = fitted(mask[:, :, ::-1])  # and now to the other side
    assert (other.dip, other.azimuth, other.strike) == pytest.approx((45, 180, 90))
    turned = fitted(mask.swapaxes(0, 1))
    assert (turned.dip, turned.azimuth, turned.strike) == pytest.approx((45, 90, 0))


def test_level_and_vertical_planes() -> None:
    level = np.zeros((5, 6, 7), np.bool_)
    level[:, :, 3] = True
    assert fitted(level).dip == 0
    assert fitted(level).azimuth == 0
    for axis, azimuth in ((0, 0), (1, 90)):
        wall = np.moveaxis(level, 2, axis)
        assert (fitted(wall).dip, fitted(wall).azimuth) == (90, azimuth)
    slant = np.zeros((6, 6, 7), np.bool_)
    for z in range(6):
        slant[z, 5 - z] = True
    assert (fitted(slant).dip, fitted(slant).azimuth) == pytest.approx((90, 45))
    assert fitted(slant[:, ::-1]).azimuth == pytest.approx(135)


def test_any_axis_may_point_down() -> None:
    mask = slab(upward(30, 70))
    plane = fitted(mask)
    for down in (0, 1):
        other = fitted(np.moveaxis(mask, 2, down), Grid(down=down))
        assert (other.dip, other.azimuth) == pytest.approx((plane.dip, plane.azimuth))


def test_spacing_and_origin_are_those_of_space() -> None:
    grid = Grid(spacing=(25.0, 12.5, 4.0), origin=(1000.0, 2000.0, 500.0))
    mask = np.zeros((8, 5, 8), np.bool_)
    for z in range(8):
        mask[z, :, z] = True  # down by 4 while going 25
    plane = fitted(mask, grid)
    assert plane.dip == pytest.approx(math.degrees(math.atan2(4, 25)))
    np.testing.assert_allclose(plane.centre, [1000 + 3.5 * 25, 2000 + 2 * 12.5, 500 + 3.5 * 4])
    np.testing.assert_allclose(centre_of(moments(mask), grid), plane.centre)
    steep = fitted(slab(upward(60, 200), grid=grid), grid)
    assert (steep.dip, steep.azimuth) == pytest.approx((60, 200), abs=2)


def test_agrees_with_the_covariance_of_the_voxels() -> None:
    mask = np.random.default_rng(0).random((9, 8, 7)) < 0.1
    mask[4] = True  # all in one part
    mask = mask | np.roll(mask, 1, 0)
    walk = SlabParts()
    walk.add(mask)
    part, number = walk.finish()[0], next(iter(walk.numbered([mask])))
    places = np.argwhere(number == 1) * (2.0, 3.0, 5.0)
    values, vectors = np.linalg.eigh(np.cov(places.T, bias=True))
    plane = plane_of(part, Grid(spacing=(2.0, 3.0, 5.0)))
    assert plane is not None
    assert abs(plane.normal @ vectors[:, 0]) == pytest.approx(1)
    assert plane.rms == pytest.approx(math.sqrt(values[0]))


def test_what_lies_in_a_line_lies_in_no_one_plane() -> None:
    line = np.zeros((9, 9, 9), np.bool_)
    line[4, 4, 4] = True
    assert plane_of(moments(line), Grid()) is None
    line[4, 4] = True
    assert plane_of(moments(line), Grid()) is None
    diagonal = np.zeros((9, 9, 9), np.bool_)
    diagonal[range(9), range(9), range(9)] = True
    assert plane_of(moments(diagonal), Grid()) is None
