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


BLOCK = (24, 64, 80)


def places_of(size: tuple[int, ...]) -> Where:
    planes, rows, columns = np.ix_(*(np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in size))
    return Where(rows.astype(np.float32), columns.astype(np.float32), planes.astype(np.float32))


def deep_moves(elastic: Elastic, where: Where, seed: int) -> list[np.ndarray]:
    picked = elastic.pick(BLOCK, np.random.default_rng(seed))
    assert picked is not None
    moved = elastic.move(where, picked)
    assert moved.planes is not None
    assert where.planes is not None
    pairs = (moved.planes, where.planes), (moved.rows, where.rows), (moved.columns, where.columns)
    return [after - before for after, before in pairs]


def test_voxels_of_a_block_move_along_all_axes_as_far_as_pixels_do() -> None:
    elastic = Elastic(p=1, alpha=120, sigma=6, axes="zyx")
    where = places_of(BLOCK)
    moves = np.array([deep_moves(elastic, where, seed) for seed in range(12)])
    assert moves.shape == (12, 3, *BLOCK)
    for axis in range(3):
        assert moves[:, axis].std() == pytest.approx(0.16 * 120 / 6, rel=0.15)


def test_moves_of_a_block_are_smooth() -> None:
    elastic = Elastic(p=1, alpha=120, sigma=6, axes="zyx")
    for move in deep_moves(elastic, places_of(BLOCK), 3):
        for axis in range(3):
            assert np.abs(np.diff(move, axis=axis)).max() < 2.5
            assert np.abs(np.diff(move, 2, axis=axis)).max() < 0.8


def test_the_moves_are_read_where_a_later_warp_points() -> None:
    """Places that are no longer apart are read from the moves of every voxel."""
    elastic = Elastic(p=1, alpha=60, sigma=5, axes="zyx")
    where = places_of(BLOCK)
    assert where.planes is not None
    plain = deep_moves(elastic, where, 4)
    tiny = np.float32(1e-6) * where.columns  # planes that depend on columns, and move nothing
    full = deep_moves(elastic, where._replace(planes=where.planes + tiny), 4)
    for one, other in zip(plain, full, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    mirrored = deep_moves(elastic, where._replace(planes=-where.planes + tiny), 4)
    np.testing.assert_allclose(plain[1][::-1], mirrored[1], atol=1e-3)


def test_in_the_plane_a_block_moves_as_an_image_does() -> None:
    elastic = Elastic(p=1, alpha=60, sigma=5, affine=4)
    flat, deep = (elastic.pick(size, np.random.default_rng(2)) for size in ((64, 80), (24, 64, 80)))
    assert isinstance(flat, Bend)
    assert isinstance(deep, Bend)
    where = places_of(BLOCK)
    image = elastic.move(Where(where.rows[0], where.columns[0]), flat)
    block = elastic.move(where, deep)
    np.testing.assert_array_equal(image.rows, block.rows[0])
    np.testing.assert_array_equal(image.columns, block.columns[0])
    assert block.rows.shape == (1, 64, 80)
    assert block.planes is where.planes
