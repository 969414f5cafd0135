"""Slices of volumes against plain numpy indexing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Plane, read_all

CUBE = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
cube = ArrayVolume(CUBE, axes="zyx", name="cube")
picture = ArrayVolume(np.arange(60, dtype=np.float32).reshape(1, 6, 10), name="picture")


@pytest.mark.parametrize(
    ("axis", "axes", "shape"), [("z", "yx", (4, 5)), ("y", "zx", (3, 5)), ("x", "zy", (3, 4))]
)
def test_a_plane_is_one_slice_along_any_axis(axis: str, axes: str, shape: tuple[int, int]) -> None:
    plane = Plane(cube, axis, 1)
    assert (plane.axes, plane.shape, plane.channels) == (axes, shape, 2)
    assert plane.name == f"cube[{axis}=1]"
    np.testing.assert_array_equal(read_all(plane), CUBE.take(1, axis="czyx".index(axis)))


@given(
    axis=st.sampled_from("zyx"),
    index=st.integers(0, 2),
    context=st.integers(0, 7),
    box=st.tuples(*[st.integers(0, 3)] * 4),
)
def test_neighbours_become_channels_and_the_ends_are_repeated(
    axis: str, index: int, context: int, box: tuple[int, int, int, int]
) -> None:
    plane = Plane(cube, axis, index, context)
    last = cube.shape["zyx".index(axis)] - 1
    slices = [
        CUBE.take(min(max(at, 0), last), axis="czyx".index(axis))
        for at in range(index - context, index + context + 1)
    ]
    stacked = np.concatenate(slices)
    assert plane.channels == len(stacked)
    rows, columns = sorted(box[:2]), sorted(box[2:])
    region = Region((rows[0], columns[0]), (rows[1], columns[1]))
    np.testing.assert_array_equal(plane.read(region), stacked[(slice(None), *region.slices)])


def test_planes_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="no axis 't' in 'zyx'"):
        Plane(cube, "t", 0)
    with pytest.raises(ValueError, match="no axis 'y' in 'yx'"):
        Plane(picture, "y", 0)
    with pytest.raises(ValueError, match="beyond the 3 slices"):
        Plane(cube, "z", 3)
