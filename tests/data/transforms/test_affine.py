"""Turning, scaling and shifting by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from lamina.data.transforms import Affine, Where
from lamina.data.transforms.affine import Placement

WHERE = Where(np.array([[-3], [3]], np.float32), np.array([[-5, 5]], np.float32))


def test_the_source_is_found_by_undoing_shift_scale_and_turn() -> None:
    rows, columns, _ = Affine().move(WHERE, Placement(0.0, 2.0, 4.0, 1.0, -1.0))
    assert rows.tolist() == [[-2], [1]]
    assert columns.tolist() == [[-1, 1.5]]


def test_turning_is_counter_clockwise_and_keeps_distances() -> None:
    rows, columns, _ = Affine().move(WHERE, Placement(math.pi / 2, 1.0, 1.0, 0.0, 0.0))
    np.testing.assert_allclose(rows, [[-5, 5], [-5, 5]], atol=1e-5)
    np.testing.assert_allclose(columns, [[3, 3], [-3, -3]], atol=1e-5)


def test_picks_stay_in_their_ranges_and_fill_them() -> None:
    affine = Affine(p=1, rotate=30, scale=(0.5, 2.0), aspect=(0.9, 1.1), shift=0.25)
    rng = np.random.default_rng(0)
    picks = [affine.pick((100, 200), rng) for _ in range(2000)]
    found = np.array([pick[:5] for pick in picks if pick is not None])
    angle, rows, columns, down, right = found.T
    for values, low, high in (
        (np.degrees(angle), -30, 30),
        (rows, 0.5, 2.0),
        (columns / rows, 0.9, 1.1),
        (down, -25, 25),
        (right, -50, 50),
    ):
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high >= values.max() > high - 0.02 * (high - low)
    assert Affine(p=0).pick((8, 8), rng) is None


def test_a_block_is_scaled_shifted_and_tilted_along_z_where_asked_for() -> None:
    rng = np.random.default_rng(0)
    deep = Affine(p=1, axes="zyx", tilt=20, scale=(0.5, 2.0), shift=0.25)
    picks = [deep.pick((40, 100, 200), rng) for _ in range(500)]
    behind = [pick.behind for pick in picks if pick is not None]
    tilts = np.degrees([pick.tilts for pick in picks if pick is not None])
    assert -10 <= min(behind) < -9.5 < 9.5 < max(behind) <= 10
    assert -20 <= tilts.min() < -19 < 19 < tilts.max() <= 20
    assert all(pick.scale_planes == pick.scale_rows for pick in picks if pick is not None)


def test_in_the_plane_a_block_draws_what_an_image_does() -> None:
    planar = Affine(p=1)
    picks = [planar.pick(size, np.random.default_rng(1)) for size in ((9, 30, 40), (30, 40))]
    assert picks[0] == picks[1]


def test_a_quarter_of_tilt_shows_rows_from_along_z() -> None:
    rows, columns, planes = Affine().move(
        Where(np.float32([[[-3], [3]]]), np.float32([[[-5, 5]]]), np.float32([[[-1]], [[1]]])),
        Placement(0.0, 1.0, 1.0, 0.0, 0.0, tilts=(math.pi / 2, 0.0)),
    )
    assert planes is not None
    np.testing.assert_allclose(
        np.broadcast_to(planes, (2, 2, 1))[:, :, 0], [[-3, 3]] * 2, atol=1e-5
    )
    np.testing.assert_allclose(rows[:, :, 0], [[1, 1], [-1, -1]], atol=1e-5)
    assert columns.tolist() == [[[-5, 5]]]


@pytest.mark.parametrize(
    "options", [{"scale": (0, 1)}, {"scale": (2, 1)}, {"rotate": -1}, {"tilt": 5}]
)
def test_impossible_ranges_are_refused(options: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValidationError):
        Affine.model_validate(options)
