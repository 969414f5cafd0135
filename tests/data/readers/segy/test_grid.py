"""Grids of traces from their numbers, against sorting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.data.readers.segy.grid import Grid, NoGrid, grid_of


def test_by_hand() -> None:
    # in the order of the file: inline 7 with crosslines 30, 10, 20, then inline 5
    grid = grid_of(np.array([7, 7, 7, 5, 5, 5]), np.array([30, 10, 20, 10, 20, 30]))
    assert isinstance(grid, Grid)
    assert grid.traces(slice(0, 2), slice(0, 3)).tolist() == [[3, 4, 5], [1, 2, 0]]
    assert grid.traces(slice(1, 2), slice(1, 3)).tolist() == [[2, 0]]


@settings(max_examples=60)
@given(
    counts=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    steps=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    order=st.sampled_from(["inline", "crossline", "any"]),
    seed=st.integers(0, 9),
)
def test_every_whole_grid_is_found(
    counts: tuple[int, int], steps: tuple[int, int], order: str, seed: int
) -> None:
    places = list(np.ndindex(*counts))
    if order == "crossline":
        places.sort(key=lambda place: place[::-1])
    elif order == "any":
        places = [places[k] for k in np.random.default_rng(seed).permutation(len(places))]
    lines = np.array([-3 + i * steps[0] for i, _ in places], np.int32)
    crosses = np.array([1000 + j * steps[1] for _, j in places], np.int32)
    grid = grid_of(lines, crosses)
    assert isinstance(grid, Grid)
    assert grid.shape == counts
    assert order == "any" or grid.table is None  # three numbers are enough
    found = grid.traces(slice(0, counts[0]), slice(0, counts[1]))
    expected = [[places.index((i, j)) for j in range(counts[1])] for i in range(counts[0])]
    assert found.tolist() == expected


@pytest.mark.parametrize(
    ("lines", "crosses", "why"),
    [
        ([1, 1, 2], [1, 2, 1], "1 traces missing and 0 traces more"),
        ([1, 1, 1], [1, 2, 2], "0 traces missing and 1 traces more"),
        ([1, 2, 4], [1, 1, 1], "the inlines do not rise in equal steps"),
        ([1, 1, 1], [1, 2, 9], "the crosslines do not rise in equal steps"),
    ],
)
def test_what_is_none_is_told(lines: list[int], crosses: list[int], why: str) -> None:
    grid = grid_of(np.array(lines), np.array(crosses))
    assert isinstance(grid, NoGrid)
    assert why in grid.why


def test_one_line_is_a_grid_only_where_lines_are_enough() -> None:
    lines, crosses = np.array([1, 1]), np.array([1, 2])
    assert isinstance(grid_of(lines, crosses), Grid)
    assert isinstance(grid_of(lines, crosses, lines=2), NoGrid)
