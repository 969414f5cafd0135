"""A smooth field of the documented strength."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lamina.data.transforms import Elastic, Where
from lamina.data.transforms.elastic import Bend


def test_the_field_is_blurred_uniform_noise() -> None:
    elastic = Elastic(p=1, alpha=100, sigma=3)
    field = elastic.pick((64, 80), np.random.default_rng(5))
    assert field is not None
    rng = np.random.default_rng(5)
    rng.random()
    noise = rng.random((64, 80, 2), np.float32) * 2 - 1
    expected = 100 * gaussian_filter(noise, (3, 3, 0), mode="mirror", truncate=4)
    np.testing.assert_allclose(field, expected, atol=0.05)


@pytest.mark.parametrize(("alpha", "sigma"), [(120, 6), (50, 3)])
def test_the_typical_move_is_as_documented(alpha: float, sigma: float) -> None:
    field = Elastic(p=1, alpha=alpha, sigma=sigma).pick((256, 256), np.random.default_rng(0))
    assert field is not None
    assert field.std() == pytest.approx(0.16 * alpha / sigma, rel=0.15)


def test_each_pixel_moves_by_the_field_at_its_place() -> None:
    field = np.random.default_rng(0).random((3, 4, 2), np.float32)
    rows, columns = np.mgrid[:3, :4].astype(np.float32)
    where = Where(rows[:, :1] - 1, columns[:1] - 1.5)
    moved = Elastic().move(where, field)
    np.testing.assert_allclose(moved.rows, rows - 1 + field[..., 0], atol=1e-6)
    np.testing.assert_allclose(moved.columns, columns - 1.5 + field[..., 1], atol=1e-6)


def test_after_a_later_warp_the_field_is_read_where_that_warp_points() -> None:
    field = np.random.default_rng(0).random((4, 4, 2), np.float32)
    where = Where(
        np.arange(4, dtype=np.float32)[:, None] - 1.5, 1.5 - np.arange(4, dtype=np.float32)[None]
    )
    moved = Elastic().move(where, field)
    np.testing.assert_allclose(moved.columns - where.columns, field[:, ::-1, 1], atol=1e-6)


def test_it_may_not_happen() -> None:
    assert Elastic(p=0).pick((8, 8), np.random.default_rng(0)) is None


def test_the_region_first_follows_three_corners_of_its_middle() -> None:
    """SIIM-7."""
    elastic = Elastic(p=1, alpha=0, affine=5)
    bend = elastic.pick((60, 90), np.random.default_rng(3))
    assert isinstance(bend, Bend)
    assert not bend.field.any()
    corners = np.array([[20, 20], [20, -20], [-20, -20]], np.float32)
    forward = np.linalg.inv(np.vstack([bend.turn, [0, 0, 1]]))
    moved = corners @ forward[:2, :2].T + forward[:2, 2]
    assert 0 < abs(moved - corners).max() <= 5
    for corner, place in zip(corners, moved, strict=True):  # what stood at the corner is seen there
        where = Where(np.array([[place[0]]], np.float32), np.array([[place[1]]], np.float32))
        seen = elastic.move(where, bend)
        np.testing.assert_allclose([seen.rows.item(), seen.columns.item()], corner, atol=1e-3)
