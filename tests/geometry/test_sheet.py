"""A sheet lies in its plane, covers it once, and follows a bend."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.geometry.components.slabs import SlabParts
from lamina.geometry.plane import FittedPlane, Grid, plane_of
from lamina.geometry.sheet import HeightMap


def fitted(mask: NDArray[np.bool_]) -> tuple[FittedPlane, NDArray[np.float64]]:
    walk = SlabParts()
    walk.add(mask)
    (part,) = walk.finish()
    plane = plane_of(part, Grid())
    assert plane is not None
    return plane, np.argwhere(mask).astype(np.float64)


def sheet(mask: NDArray[np.bool_], side: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    plane, places = fitted(mask)
    made = HeightMap(plane, places, side)
    for some in np.array_split(places, 3):
        made.add(some)
    return made.triangles()


def areas(corners: NDArray[np.float64], faces: NDArray[np.int64]) -> NDArray[np.float64]:
    one, two, three = (corners[faces[:, i]] for i in range(3))
    return np.asarray(np.linalg.norm(np.cross(two - one, three - one), axis=1) / 2)


def test_a_level_square_has_its_area_and_height() -> None:
    mask = np.zeros((20, 30, 9), np.bool_)
    mask[:, :, 4:6] = True
    corners, faces = sheet(mask, 1)
    np.testing.assert_allclose(corners[:, 2], 4.5)
    assert areas(corners, faces).sum() == pytest.approx(19 * 29, abs=60)  # cells may straddle
    assert (areas(corners, faces) > 0).all()
    normals = np.cross(
        corners[faces[:, 1]] - corners[faces[:, 0]], corners[faces[:, 2]] - corners[faces[:, 0]]
    )
    assert (normals[:, 2] > 0).all() or (normals[:, 2] < 0).all()  # all turned alike


def test_a_slanting_sheet_has_no_holes() -> None:
    z, y, x = np.mgrid[:40, :40, :40]
    mask = np.abs(0.6 * (z - 20) + 0.3 * (y - 20) - (x - 20)) <= 1.2
    corners, faces = sheet(mask, 2)
    plane, places = fitted(mask)
    off = np.abs((corners - plane.centre) @ plane.normal)
    assert off.max() <= 1.2  # where a cell at the rim holds half of the sheet's thickness
    assert np.median(off) < 0.1
    # each inner edge belongs to two triangles: the number of rims of a disc is one (Euler)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    different, counts = np.unique(edges, axis=0, return_counts=True)
    assert counts.max() == 2
    assert len(corners) - len(different) + len(faces) == 1
    square = 40 * 40 * math.sqrt(1 + 0.6**2 + 0.3**2)
    assert areas(corners, faces).sum() == pytest.approx(square, rel=0.15)
    assert len(places) > len(corners)


def test_a_bend_is_followed() -> None:
    z, _, x = np.mgrid[:40, :40, :40]
    bent = 20 + 4 * np.sin(z / 12)
    mask = np.abs(x - bent) <= 1
    corners, _ = sheet(mask, 2)
    off = corners[:, 2] - (20 + 4 * np.sin(corners[:, 0] / 12))
    assert np.abs(off).max() < 1


def test_crumbs_make_no_triangles() -> None:
    mask = np.zeros((3, 3, 3), np.bool_)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[0, 1, 1] = True
    corners, faces = sheet(mask, 0.1)
    assert corners.shape == (0, 3)
    assert faces.shape == (0, 3)
