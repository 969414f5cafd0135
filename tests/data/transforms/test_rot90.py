"""Quarter turns by hand; tests/data/test_warp.py compares them with numpy."""

from __future__ import annotations

import numpy as np

from lamina.data.transforms import Rot90, Where


def test_a_quarter_turn_shows_on_top_what_was_on_the_right() -> None:
    where = Where(np.array([[-1], [1]], np.float32), np.array([[-1, 1]], np.float32))
    rows, columns = np.broadcast_arrays(*Rot90().move(where, 1)[:2])
    assert rows.tolist() == [[-1, 1], [-1, 1]]
    assert columns.tolist() == [[1, 1], [-1, -1]]


def test_one_two_and_three_quarters_are_equally_likely() -> None:
    rng = np.random.default_rng(0)
    picks = [Rot90(p=1).pick((8, 8), rng) for _ in range(1500)]
    counts = [picks.count(quarters) for quarters in (1, 2, 3)]
    assert sum(counts) == 1500
    assert min(counts) > 430


def test_regions_that_are_not_square_are_turned_by_half_only() -> None:
    rng = np.random.default_rng(0)
    assert {Rot90().pick((8, 16), rng) for _ in range(50)} == {None, 2}
