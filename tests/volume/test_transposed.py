"""Axes in another order against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Transposed

CUBE = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
cube = ArrayVolume(CUBE, axes="zyx", name="cube")


@given(order=st.permutations(range(3)), box=st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_axes_in_another_order_are_those_of_numpy(order: list[int], box: list[int]) -> None:
    turned = Transposed(cube, tuple(order), "zyx")
    whole = CUBE.transpose(0, *(axis + 1 for axis in order))
    assert (turned.axes, turned.shape, turned.channels) == ("zyx", whole.shape[1:], 2)
    spans = [
        sorted(min(n, side) for n in box[k : k + 2])
        for k, side in zip((0, 2, 4), turned.shape, strict=True)
    ]
    region = Region(tuple(a for a, _ in spans), tuple(b for _, b in spans))
    np.testing.assert_array_equal(turned.read(region), whole[(slice(None), *region.slices)])


@pytest.mark.parametrize(
    ("order", "axes"), [((0, 1), "zyx"), ((0, 0, 1), "zyx"), ((0, 1, 2), "yx")]
)
def test_orders_that_are_none_are_refused(order: tuple[int, ...], axes: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in the order"):
        Transposed(cube, order, axes)
