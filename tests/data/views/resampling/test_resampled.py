"""Resampled volumes against torch, scipy and means by hand; a region against the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import zoom

from lamina.data.case import Case
from lamina.data.prepare.spaced import Spaced
from lamina.data.views.resampling.resampled import (
    Part,
    Resampled,
    at_source,
    axis_weights,
    resampled,
    seen_planes,
    source_region,
)
from lamina.data.views.resampling.spacing import spacing_of
from lamina.geometry.region import Region
from lamina.seeding import rng
from lamina.volume import ArrayVolume, read_all

Shape = tuple[int, int, int]
SIDES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))


def volume(*shape: int, dtype: type = np.float32) -> ArrayVolume:
    return ArrayVolume(rng(0, "resampled", *shape).integers(0, 256, shape).astype(dtype), "zyx")


def interpolated(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    grown = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None], shape, mode="trilinear", align_corners=False
    )
    return np.asarray(grown[0].numpy())


@pytest.mark.parametrize("shape", [(8, 12, 16), (5, 7, 20), (4, 6, 9)])
def test_more_voxels_are_interpolated_linearly(shape: Shape) -> None:
    stored = volume(2, 4, 6, 8)
    found = read_all(Resampled(stored, shape, smooth=True))
    np.testing.assert_allclose(found, interpolated(stored.array, shape), atol=1e-3)
    factors = [1, *(new / old for new, old in zip(shape, (4, 6, 8), strict=True))]
    scaled = zoom(stored.array, factors, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(found, scaled, atol=1e-3)


def test_fewer_voxels_are_means_of_what_they_cover() -> None:
    stored = volume(1, 4, 6, 9)
    found = read_all(Resampled(stored, (2, 6, 3), smooth=True))
    boxes = stored.array.reshape(1, 2, 2, 6, 1, 3, 3)
    np.testing.assert_allclose(found, boxes.mean((2, 4, 6)), rtol=1e-5)
    halves = axis_weights(3, 2, 0, 2).matrix
    np.testing.assert_allclose(halves, [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.data())
def test_a_region_is_that_part_of_the_whole(old: Shape, new: Shape, data: st.DataObject) -> None:
    start = [data.draw(st.integers(0, n - 1)) for n in new]
    stop = [data.draw(st.integers(a + 1, n)) for a, n in zip(start, new, strict=True)]
    region = Region(tuple(start), tuple(stop))
    for smooth in (True, False):
        view = Resampled(volume(2, *old), new, smooth=smooth)
        part, whole = view.read(region), read_all(view)[(slice(None), *region.slices)]
        np.testing.assert_array_equal(part, whole)


def test_a_region_of_many_voxels_is_that_part_of_the_whole_to_the_byte() -> None:
    """Products of matrices are not: their sums depend on the sides, from some hundred voxels on."""
    view = Resampled(volume(1, 9, 600, 700), (14, 512, 512), smooth=True)
    region = Region((3, 17, 401), (9, 300, 477))
    whole = read_all(view)
    np.testing.assert_array_equal(view.read(region), whole[(slice(None), *region.slices)])
    by_matrices = volume(1, 9, 600, 700).array
    for axis, (old, new) in enumerate(zip((9, 600, 700), view.shape, strict=True), start=1):
        matrix = axis_weights(old, new, 0, new).matrix.astype(np.float64)
        by_matrices = np.moveaxis(np.tensordot(matrix, by_matrices, (1, axis)), 0, axis)
    np.testing.assert_allclose(whole, by_matrices, atol=1e-3)  # of values up to 255


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES)
def test_a_constant_stays_and_means_of_all_voxels_too(old: Shape, new: Shape) -> None:
    ones = ArrayVolume(np.full((1, *old), 7, np.uint8), "zyx")
    np.testing.assert_allclose(read_all(Resampled(ones, new, smooth=True)), 7, rtol=1e-5)
    for a, b in zip(old, new, strict=True):
        assert axis_weights(a, b, 0, b).matrix.shape == (b, a)
        if b <= a:
            np.testing.assert_allclose(axis_weights(a, b, 0, b).matrix.sum(0), b / a, rtol=1e-5)


def test_classes_are_those_of_the_voxel_that_holds_the_centre() -> None:
    stored = volume(1, 3, 4, 5, dtype=np.uint8)
    found = read_all(Resampled(stored, (6, 4, 2), smooth=False))
    assert found.dtype == np.uint8
    wanted = stored.array[:, [0, 0, 1, 1, 2, 2]][:, :, :, [1, 3]]
    np.testing.assert_array_equal(found, wanted)


def test_all_of_a_case_is_resampled_and_states_its_spacing() -> None:
    image = Spaced(volume(1, 4, 6, 8, dtype=np.uint8), (2, 1, 1))
    soft = volume(1, 4, 6, 8)
    seen = resampled(Case("a", "a", image, soft, volume(1, 4, 6, 8, dtype=np.bool_)), (8, 6, 4))
    assert seen.image.dtype == np.float32
    assert spacing_of(seen.image) == (1, 1, 2)
    assert seen.target is not None
    assert seen.valid is not None
    assert seen.valid.dtype == np.bool_
    np.testing.assert_allclose(
        read_all(seen.target), read_all(Resampled(soft, (8, 6, 4), smooth=True))
    )
    assert resampled(seen, (8, 6, 4)) is seen


def test_an_answer_comes_back_to_the_grid_of_the_source() -> None:
    """Values that rise along each axis are found at the centres of the source's voxels."""
    seen, stored = (6, 9, 12), (9, 12, 6)
    centres = [(np.arange(n, dtype=np.float32) + 0.5) / n for n in seen]
    total = centres[0][:, None, None] + centres[1][:, None] + centres[2]
    rising = total[None].astype(np.float32)
    back = at_source(rising, Part(Region.whole(stored), stored, (0, 0, 0), seen))
    wanted = [(np.arange(n) + 0.5) / n for n in stored]
    expected = wanted[0][:, None, None] + wanted[1][:, None] + wanted[2]
    inside = (slice(1, -1),) * 3  # at the border values stay what they are
    np.testing.assert_allclose(back[0][inside], expected[inside], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)))
def test_boxes_are_the_same_bytes_whatever_is_asked_for_with_them(
    seen: Shape, stored: Shape, sides: Shape
) -> None:
    answer, everything = volume(2, *seen).array, Region.whole(stored)
    whole = at_source(answer, Part(everything, stored, (0, 0, 0), seen))
    assert whole.shape == (2, *stored)
    found = np.full_like(whole, np.nan)
    for corner in np.ndindex(*(-(-n // side) for n, side in zip(stored, sides, strict=True))):
        start = tuple(at * side for at, side in zip(corner, sides, strict=True))
        stop = tuple(at + side for at, side in zip(start, sides, strict=True))
        box = Region(start, stop).clip_to(everything)
        needed = source_region(box, seen, stored)
        given = answer[(slice(None), *needed.slices)]
        found[(slice(None), *box.slices)] = at_source(given, Part(box, stored, needed.start, seen))
        for side, most in zip(needed.shape, map(seen_planes, seen, stored, box.shape), strict=True):
            assert side <= most
    np.testing.assert_array_equal(found, whole)
