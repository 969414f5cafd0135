"""Bands of random width that together stay as wide as the region."""

from __future__ import annotations

import numpy as np

from lamina.data.transforms import GridDistort, Where


def test_band_edges_move_as_picked_and_pixels_between_follow_in_proportion() -> None:
    knots = (np.array([-4.0, 0.0, 4.0]), np.array([0.0, 1.0, 0.0]))
    still = (np.array([-4.0, 4.0]), np.array([0.0, 0.0]))
    where = Where(np.array([[-2.0], [0.0], [3.0], [9.0]], np.float32), np.zeros((1, 1), np.float32))
    rows, columns, _ = GridDistort().move(where, (knots, still))
    assert rows.ravel().tolist() == [-1.5, 1.0, 3.25, 9.0]
    assert columns.tolist() == [[0.0]]


def test_the_border_stays_and_the_order_of_pixels_too() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        picked = GridDistort(p=1, steps=5, limit=0.9).pick((60, 80), rng)
        assert picked is not None
        for (edges, displaced), side in zip(picked, (60, 80), strict=True):
            source = edges + displaced
            np.testing.assert_allclose(source[[0, -1]], [-side / 2, side / 2], atol=1e-9)
            assert (np.diff(source) > 0).all()
            widths = np.diff(source) / np.diff(edges)
            assert widths.max() / widths.min() <= 1.9 / 0.1


def test_it_may_not_happen() -> None:
    assert GridDistort(p=0).pick((8, 8), np.random.default_rng(0)) is None
