"""The lattice by hand, and the laws that every lattice keeps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid


@st.composite
def grids(draw: st.DrawFn, axes: int | None = None, longest: int = 40) -> TileGrid:
    count = axes or draw(st.integers(1, 3))
    tile = [draw(st.integers(1, 16)) for _ in range(count)]
    return TileGrid(
        shape=tuple(draw(st.integers(1, longest)) for _ in range(count)),
        tile=tuple(tile),
        step=tuple(draw(st.integers(1, n)) for n in tile),
    )


@pytest.mark.parametrize(
    ("extent", "tile", "step", "starts"),
    [
        (8, 4, 4, (0, 4)),
        (10, 4, 4, (0, 4, 6)),  # the last one moved back to the border
        (10, 4, 2, (0, 2, 4, 6)),
        (9, 4, 2, (0, 2, 4, 5)),
        (4, 4, 1, (0,)),
        (3, 4, 2, (0,)),  # shorter than a tile: one tile that overhangs
        (300, 320, 320, (-10,)),  # by 10 and 10 (FAULT-5)
        (1259, 1280, 1280, (-10,)),  # by 10 and 11
        (5, 4, 4, (0, 1)),
        (1, 1, 1, (0,)),
    ],
)
def test_starts_by_hand(extent: int, tile: int, step: int, starts: tuple[int, ...]) -> None:
    assert TileGrid((extent,), (tile,), (step,)).starts == (starts,)


def test_a_longer_tile_may_begin_with_the_volume() -> None:
    """NOISE-7: all that is added comes after it."""
    assert TileGrid((300, 1259), (320, 1280), (320, 1280), centred=False).starts == ((0,), (0,))


def test_tiles_come_in_rows() -> None:
    grid = TileGrid((3, 5), (2, 4), (2, 2))
    assert [region.start for region in grid] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert {region.shape for region in grid} == {(2, 4)}


def test_a_tile_leaves_the_volume_only_where_it_is_longer() -> None:
    assert list(TileGrid((3, 9), (8, 8), (4, 4))) == [
        Region((-2, 0), (6, 8)),
        Region((-2, 1), (6, 9)),
    ]


@settings(max_examples=60, deadline=None)
@given(grids())
def test_every_pixel_is_covered_and_no_tile_is_idle(grid: TileGrid) -> None:
    """N06."""
    regions = list(grid)
    assert len(grid) == len(regions) == len(set(regions))
    covered = np.zeros(grid.shape, np.bool_)
    for region in regions:
        covered[region.clip(grid.shape).slices] = True
        for a, b, n, t in zip(region.start, region.stop, grid.shape, grid.tile, strict=True):
            assert 0 <= (b - n) + a <= 1 if t > n else 0 <= a < b <= n
    assert covered.all()
    for starts, step in zip(grid.starts, grid.step, strict=True):
        assert all(0 < b - a <= step for a, b in itertools.pairwise(starts))


@pytest.mark.parametrize(
    ("shape", "tile", "step", "message"),
    [
        ((8, 8), (4,), (2,), "equal lengths"),
        ((), (), (), "equal lengths"),
        ((0,), (4,), (2,), "at least 1"),
        ((8,), (0,), (1,), "at least 1"),
        ((8,), (4,), (0,), "a step must be 1 to the tile"),
        ((8,), (4,), (5,), "a step must be 1 to the tile"),  # would leave pixels out
    ],
)
def test_a_lattice_that_cannot_cover_is_refused(
    shape: tuple[int, ...], tile: tuple[int, ...], step: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TileGrid(shape, tile, step)


@pytest.mark.parametrize(
    ("extent", "tile", "step", "starts"),
    [
        (8, 4, 4, (0, 4)),
        (9, 4, 4, (0, 4, 8)),
        (9, 4, 2, (0, 2, 4, 6)),
        (8, 4, 3, (0, 3, 6)),
        (3, 4, 2, (0,)),
        (1, 1, 1, (0,)),
    ],
)
def test_starts_beyond_the_border_by_hand(
    extent: int, tile: int, step: int, starts: tuple[int, ...]
) -> None:
    """INK-22: no tile is moved back."""
    assert TileGrid((extent,), (tile,), (step,), beyond=True).starts == (starts,)


@pytest.mark.parametrize("extent", [1, 100, 384, 385, 575, 576, 577, 1000, 6330])
@pytest.mark.parametrize(("tile", "step"), [(384, 192), (384, 48), (384, 384)])
def test_it_is_the_lattice_of_a_volume_padded_to_a_multiple_of_the_step(
    extent: int, tile: int, step: int
) -> None:
    """INK-22: padded at the end to a multiple of the step, and at least to a tile."""
    padded = max(-(-extent // step) * step, tile)
    found = TileGrid((extent,), (tile,), (step,), beyond=True).starts[0]
    assert found == tuple(range(0, padded - tile + 1, step))


@given(grids())
def test_a_lattice_that_goes_on_covers_every_pixel_and_names_its_tiles(grid: TileGrid) -> None:
    lattice = TileGrid(grid.shape, grid.tile, grid.step, beyond=True)
    for one in (grid, lattice):
        assert [one.region(number) for number in range(len(one))] == list(one)
    for starts, extent, tile, step in zip(
        lattice.starts, grid.shape, grid.tile, grid.step, strict=True
    ):
        assert starts[0] == 0
        assert starts[-1] + tile >= extent
        assert set(np.diff(starts)) <= {step}
        assert starts[-1] < max(extent, 1)
