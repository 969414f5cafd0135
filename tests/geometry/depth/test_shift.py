"""Layers moved along their depth, against float64 in numpy and against scipy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lamina.geometry.depth.shift import move_layers, moved_type, needed_layers

Map = NDArray[np.float32]


def slow(stack: NDArray[Any], shift: Map, scale: Map, start: int, stop: int) -> NDArray[np.float64]:
    """Interpolate voxel by voxel in float64."""
    depth, height, width = stack.shape
    out = np.zeros((stop - start, height, width))
    for k in range(stop - start):
        for y in range(height):
            for x in range(width):
                place = (start + k - float(shift[y, x])) / float(scale[y, x])
                if 0 <= place <= depth - 1:
                    out[k, y, x] = np.interp(place, np.arange(depth), stack[:, y, x])
    return out


def waves(height: int, width: int) -> tuple[Map, Map]:
    y, x = np.mgrid[:height, :width]
    shift = 3.3 * np.sin(x / 5 + 0.3) + y / 7
    return shift.astype(np.float32), (1 + 0.3 * np.cos(y + x / 9)).astype(np.float32)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_layers_are_interpolated_where_each_column_says(kind: Any) -> None:
    """INK-8: output z reads (z - shift) / scale, linear, 0 outside; whole numbers are rounded."""
    rng = np.random.default_rng(1)
    ends = (-30000, 30000) if kind == np.int16 else (0, 200 if kind == np.uint8 else 60000)
    stack = rng.integers(*ends, (12, 9, 40)).astype(kind)
    shift, scale = waves(9, 40)
    found = move_layers(stack, shift, scale, -3, 16)
    assert found.dtype == moved_type(np.dtype(kind))
    slack = 0.51 if np.dtype(kind).kind in "ui" else 0.01
    assert np.abs(found - slow(stack, shift, scale, -3, 16)).max() <= slack


def test_halves_are_rounded_up() -> None:
    """INK-8."""
    stack = np.array([[[0, 1, 7]], [[1, 2, 8]]], np.uint16)
    shift, one = np.full((1, 3), 0.5, np.float32), np.ones((1, 3), np.float32)
    assert move_layers(stack, shift, one, 0, 3)[:, 0].tolist() == [[0, 0, 0], [1, 2, 8], [0, 0, 0]]


def test_scipy_says_the_same() -> None:
    """INK-8: the published program called scipy's geometric transform."""
    stack = np.random.default_rng(2).integers(0, 65535, (15, 20, 31)).astype(np.uint16)
    shift, scale = waves(20, 31)
    z, y, x = np.mgrid[:15, :20, :31]
    place = (z - shift.astype(np.float64)) / scale.astype(np.float64)
    wanted = map_coordinates(
        stack, [place, y, x], output=np.float64, order=1, mode="constant", cval=0, prefilter=False
    )
    assert np.abs(move_layers(stack, shift, scale, 0, 15) - wanted).max() <= 0.51


def test_every_pixel_follows_its_own_map() -> None:
    """INK-9: the published program took the map 28 columns to the right, and that is a bug."""
    stack = np.random.default_rng(3).integers(0, 60000, (8, 4, 64)).astype(np.uint16)
    shift, one = np.zeros((4, 64), np.float32), np.ones((4, 64), np.float32)
    shift[2, 50] = 3
    found = move_layers(stack, shift, one, 0, 8)
    changed = np.argwhere((found != stack).any(0))
    assert changed.tolist() == [[2, 50]]
    assert found[3:, 2, 50].tolist() == stack[:5, 2, 50].tolist()


def test_needed_layers_are_those_of_the_item() -> None:
    """INK-8: floor(min((z0 - shift) / scale) - 2) to ceil(max((z1 - shift) / scale) + 2)."""
    shift, scale = np.array([[1.5, -4.0]], np.float32), np.array([[1.0, 0.5]], np.float32)
    assert needed_layers(shift, scale, 20, 30, 65) == (16, 65)  # 18.5 - 2 and 68 + 2
    assert needed_layers(shift, scale, 20, 22, 65) == (16, 54)
    assert needed_layers(shift, scale, 200, 210, 65) == (65, 65)
    assert needed_layers(shift, scale, -90, -80, 65) == (0, 0)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(-6, 20),
    st.integers(1, 6),
    st.floats(-8, 8),
    st.sampled_from([0.5, 0.8, 1.0, 1.3, 4.0]),
)
def test_the_needed_layers_are_enough(start: int, count: int, shift: float, scale: float) -> None:
    """INK-8: a part of the stack gives what the whole stack gives."""
    stack = np.random.default_rng(4).integers(0, 60000, (14, 3, 17)).astype(np.uint16)
    shifts, scales = waves(3, 17)
    shifts += np.float32(shift)
    scales *= np.float32(scale)
    first, stop = needed_layers(shifts, scales, start, start + count, 14)
    part = move_layers(
        stack[first:stop], shifts, scales, start, start + count, first=first, depth=14
    )
    assert (part == move_layers(stack, shifts, scales, start, start + count)).all()


def test_other_shapes_are_refused() -> None:
    one = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="differ"):
        move_layers(np.zeros((4, 2, 2), np.uint8), one, one, 0, 4)
