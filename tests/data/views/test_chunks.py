"""Boxes that cover a volume, cut where its chunks are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.data.targets.label_map import target_of
from lamina.data.views.chunks import pieces
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Crop, Plane, Transposed, Volume, chunk_shape_of


@dataclass(frozen=True)
class Chunks:
    """Zeros that claim to lie in chunks."""

    shape: tuple[int, ...]
    chunk_shape: tuple[int, ...]
    axes: str = "zyx"
    name: str = "chunks"
    channels: int = 1

    def stamp(self) -> str:
        return ""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[Any]:
        return np.zeros((1, *region.shape), np.uint8)


sides = st.tuples(*[st.integers(1, 9)] * 3)


@given(shape=sides, chunk_shape=sides, most=st.integers(1, 300))
def test_every_voxel_is_in_one_piece_and_every_chunk_too(
    shape: tuple[int, int, int], chunk_shape: tuple[int, int, int], most: int
) -> None:
    seen = np.zeros(shape, int)
    smallest = np.prod([min(n, side) for n, side in zip(shape, chunk_shape, strict=True)])
    for region in pieces(Chunks(shape, chunk_shape), most):
        seen[region.slices] += 1
        assert np.prod(region.shape) <= max(most, smallest)
        assert all(a % side == 0 for a, side in zip(region.start, chunk_shape, strict=True))
    assert (seen == 1).all()


def test_pieces_are_as_long_as_possible_along_the_last_axis() -> None:
    found = [region.shape for region in pieces(Chunks((4, 6, 10), (2, 3, 5)), 120)]
    assert found == [(2, 6, 10)] * 2
    array = ArrayVolume(np.zeros((2, 4, 6, 10), np.uint8), "zyx")
    assert [region.shape for region in pieces(array, 240)] == [(2, 6, 10)] * 2


@pytest.mark.parametrize(
    ("volume", "chunk_shape"),
    [
        (Chunks((4, 6, 10), (2, 3, 5)), (2, 3, 5)),
        (Transposed(Chunks((4, 6, 10), (2, 3, 5)), (2, 0, 1), "zyx"), (5, 2, 3)),
        (Crop(Chunks((4, 6, 10), (2, 3, 5)), Region((1, 1, 1), (4, 5, 6))), (2, 3, 5)),
        (Plane(Chunks((4, 6, 10), (2, 3, 5)), "z", 1), (1, 1)),
        (ArrayVolume(np.zeros((1, 4, 5), np.uint8)), (1, 1)),
    ],
)
def test_views_have_the_chunks_of_what_they_show(
    volume: Volume, chunk_shape: tuple[int, ...]
) -> None:
    assert chunk_shape_of(volume) == chunk_shape


def test_labels_have_the_chunks_of_what_is_stored() -> None:
    target, valid = target_of(
        Chunks((4, 6, 10), (2, 3, 5)), task_kind="binary", classes=1, values=None, ignore=9
    )
    assert chunk_shape_of(target) == (2, 3, 5)
    assert valid is not None
    assert chunk_shape_of(valid) == (2, 3, 5)
