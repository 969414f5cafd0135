"""An image held row of tiles by row of tiles: the same pixels, each read once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.geometry.tiling.grid import TileGrid
from lamina.prediction.streaming import row_cache as ahead
from lamina.prediction.streaming.row_cache import RowCache
from lamina.volume import ArrayVolume


class Watched(ArrayVolume):
    """Counts how often each pixel is read."""

    def read(self, region: Region) -> NDArray[Any]:
        self.counts()[region.slices] += 1
        return super().read(region)

    def counts(self) -> NDArray[np.int64]:
        found: NDArray[np.int64] = self.__dict__.setdefault("count", np.zeros(self.shape, int))
        return found


def picture(height: int, width: int) -> Watched:
    rng = np.random.default_rng(0)
    return Watched(rng.integers(0, 65536, (2, height, width)).astype(np.uint16))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 20),
    st.integers(1, 20),
    st.booleans(),
    st.sampled_from([1, 500, 2000, 10**6]),
    st.integers(1, 9),
)
def test_tiles_are_those_of_the_source(
    height: int, width: int, tile: int, step: int, beyond: bool, budget: int, piece: int
) -> None:
    source = picture(height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "BUDGET", budget)
        patch.setattr(ahead, "PIECE", piece)
        held = RowCache(source)
        grid = TileGrid((height, width), (tile, tile), (min(tile, step),) * 2, beyond=beyond)
        for region in grid:
            inside = region.clip((height, width))
            wanted = source.array[(slice(None), *inside.slices)]
            np.testing.assert_array_equal(held.read(inside), wanted)
    assert source.counts().min() == 1
    if budget == 10**6 and not beyond:
        assert source.counts().max() == 1


def test_a_read_that_fails_is_made_again() -> None:
    class Broken(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            if self.__dict__.pop("broken", False):
                raise DataError("gone")
            return super().read(region)

    source = Broken((np.arange(400) % 251).astype(np.uint8).reshape(1, 20, 20))
    held = RowCache(source)
    held.read(Region((0, 0), (8, 8)))
    source.__dict__["broken"] = True
    with pytest.raises(DataError):
        held.read(Region((4, 0), (12, 8)))
    found = held.read(Region((4, 0), (12, 8)))
    np.testing.assert_array_equal(found, source.array[:, 4:12, :8])
