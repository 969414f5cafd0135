"""Volumes in memory, cut out and sliced, against plain numpy indexing."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, Crop, Plane, Transposed, Volume, read_all

CUBE = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
cube = ArrayVolume(CUBE, axes="zyx", name="cube")
picture = ArrayVolume(np.arange(60, dtype=np.float32).reshape(1, 6, 10), name="picture")


@pytest.mark.parametrize(
    "volume",
    [
        picture,
        cube,
        Crop(picture, Region((1, 2), (4, 9))),
        Crop(Crop(cube, Region((1, 0, 0), (3, 4, 5))), Region((0, 1, 1), (2, 3, 4))),
        Plane(cube, "z", 2),
        Plane(cube, "y", 0, context=2),
        Transposed(cube, (1, 0, 2), "zyx"),
        Plane(Transposed(cube, (2, 0, 1), "abc"), "b", 1),
    ],
    ids=lambda volume: volume.name,
)
def test_every_volume_keeps_the_promises(volume: Volume) -> None:
    assert isinstance(volume, Volume)
    assert len(volume.axes) == len(volume.shape)
    whole = read_all(volume)
    assert whole.shape == (volume.channels, *volume.shape)
    assert whole.dtype == volume.dtype

    part = Region(tuple(n // 3 for n in volume.shape), tuple(n - n // 4 for n in volume.shape))
    np.testing.assert_array_equal(volume.read(part), whole[(slice(None), *part.slices)])
    empty = Region(volume.shape, volume.shape)
    assert volume.read(empty).shape == (volume.channels, *empty.shape)

    before, beyond = (
        [-1, *[0] * (len(volume.shape) - 1)],
        [*volume.shape[:-1], volume.shape[-1] + 1],
    )
    for wrong in (
        Region(tuple(before), volume.shape),
        Region((0,) * len(volume.shape), tuple(beyond)),
        Region((0,), (1,)),
    ):
        with pytest.raises(ValueError, match="leaves the volume"):
            volume.read(wrong)

    np.testing.assert_array_equal(read_all(pickle.loads(pickle.dumps(volume))), whole)


def test_an_array_without_a_channel_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a channel axis before 'yx'"):
        ArrayVolume(np.zeros((4, 5)))


def test_reading_an_array_copies_nothing() -> None:
    assert np.shares_memory(cube.read(Region((0, 0, 0), (1, 2, 3))), CUBE)


def test_a_crop_is_the_box_counted_from_its_own_corner() -> None:
    crop = Crop(cube, Region((1, 0, 2), (3, 4, 4)))
    assert (crop.shape, crop.axes, crop.channels) == ((2, 4, 2), "zyx", 2)
    assert crop.name == "cube[1:3,0:4,2:4]"
    np.testing.assert_array_equal(read_all(crop), CUBE[:, 1:3, 0:4, 2:4])


def test_a_crop_that_leaves_its_source_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cube: .* leaves the volume"):
        Crop(cube, Region((0, 0, 0), (4, 4, 5)))


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
