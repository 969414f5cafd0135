"""Which tiles are answered, against looking at every tile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.prediction.tiling import valid_tiles as area
from lamina.prediction.tiling.valid_tiles import batches_of, tiles_inside
from lamina.volume import ArrayVolume


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 16),
    st.integers(1, 16),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_tiles_without_a_pixel_of_the_mask_are_skipped(
    height: int, width: int, tile: int, step: int, centred: bool, beyond: bool, seed: int
) -> None:
    """INK-22: every other tile is answered, in the order of the lattice."""
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < rng.choice([0.0, 0.01, 0.2])
    grid = TileGrid((height, width), (tile, tile), (min(step, tile),) * 2, centred, beyond)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(area, "_ROWS", 7)
        found = tiles_inside(grid, ArrayVolume(mask[None].astype(np.uint8) * 255))
    wanted = [
        number for number, region in enumerate(grid) if mask[region.clip(mask.shape).slices].any()
    ]
    assert found == (wanted or [0])


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.integers(1, 6),
    st.integers(0, 99),
)
def test_so_are_blocks_of_a_volume(
    shape: tuple[int, int, int], tile: tuple[int, int, int], step: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < rng.choice([0.0, 0.003, 0.2])
    grid = TileGrid(shape, tile, tuple(min(step, n) for n in tile), seed % 2 == 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(area, "_PIXELS", 3 * shape[1] * shape[2])
        found = tiles_inside(grid, ArrayVolume(mask[None].astype(np.uint8), "zyx"))
    wanted = [number for number, region in enumerate(grid) if mask[region.clip(shape).slices].any()]
    assert found == (wanted or [0])


def test_without_an_area_all_tiles_are_answered() -> None:
    assert tiles_inside(TileGrid((9, 9), (4, 4), (4, 4)), None) == list(range(9))


def test_an_area_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match=r"\(8, 9\), the image \(9, 9\)"):
        tiles_inside(TileGrid((9, 9), (4, 4), (4, 4)), ArrayVolume(np.ones((1, 8, 9), np.uint8)))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 14)] * 3),
    st.tuples(*[st.integers(1, 6)] * 3),
    st.integers(1, 6),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_batches_of_a_part_are_those_of_the_whole_that_it_needs(
    shape: tuple[int, int, int], tile: tuple[int, int, int], step: int, size: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    grid = TileGrid(shape, tile, tuple(min(step, n) for n in tile), beyond=seed % 2 == 0)
    numbers = [n for n in range(len(grid)) if rng.random() < 0.8] or [0]
    first = [int(rng.integers(0, n)) for n in shape]
    stop = [int(rng.integers(a + 1, n + 1)) for a, n in zip(first, shape, strict=True)]
    part = Region(tuple(first), (shape[0], *stop[1:]))
    column = Region((-9, *first[1:]), (99, *stop[1:]))
    wanted = []
    for at in range(0, len(numbers), size):
        batch = numbers[at : at + size]
        if any(0 not in grid.region(number).clip_to(part).shape for number in batch):
            wanted += [(n, 0 not in grid.region(n).clip_to(column).shape) for n in batch]
    found = batches_of(grid, numbers, size, first[0], Region(part.start[1:], part.stop[1:]))
    assert [(tile.number, tile.touches) for tile in found] == wanted
