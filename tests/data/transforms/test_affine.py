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
    rows, columns = Affine().move(WHERE, Placement(0.0, 2.0, 4.0, 1.0, -1.0))
    assert rows.tolist() == [[-2], [1]]
    assert columns.tolist() == [[-1, 1.5]]


def test_turning_is_counter_clockwise_and_keeps_distances() -> None:
    rows, columns = Affine().move(WHERE, Placement(math.pi / 2, 1.0, 1.0, 0.0, 0.0))
    np.testing.assert_allclose(rows, [[-5, 5], [-5, 5]], atol=1e-5)
    np.testing.assert_allclose(columns, [[3, 3], [-3, -3]], atol=1e-5)


def test_picks_stay_in_their_ranges_and_fill_them() -> None:
    affine = Affine(p=1, rotate=30, scale=(0.5, 2.0), aspect=(0.9, 1.1), shift=0.25)
    rng = np.random.default_rng(0)
    picks = [affine.pick((100, 200), rng) for _ in range(2000)]
    found = np.array([pick for pick in picks if pick is not None])
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


@pytest.mark.parametrize("options", [{"scale": (0, 1)}, {"scale": (2, 1)}, {"rotate": -1}])
def test_impossible_ranges_are_refused(options: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValidationError):
        Affine.model_validate(options)
