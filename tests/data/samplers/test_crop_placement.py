"""Crops lie inside the image where they fit, and around what they are meant to show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.samplers.crop_placement import anywhere, around, crop, is_positive, target_pixel
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume

sides = st.integers(1, 12)


def case(target: NDArray[Any] | None, **facts: float | str) -> Case:
    shape = (4, 5) if target is None else target.shape[1:]
    image = ArrayVolume(np.zeros((1, *shape), np.uint8))
    return Case("a", "a", image, None if target is None else ArrayVolume(target), facts=facts)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_regions_fit_or_are_centred(
    shape: tuple[int, int], size: tuple[int, int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pixel = (int(rng.integers(shape[0])), int(rng.integers(shape[1])))
    for region in (anywhere(shape, size, rng), around(pixel, shape, size, rng)):
        assert region.shape == size
        for a, b, whole, side in zip(region.start, region.stop, shape, size, strict=True):
            if side <= whole:
                assert a >= 0
                assert b <= whole
            else:
                assert abs(-a - (b - whole)) <= 1
    if size <= shape:
        shown = around(pixel, shape, size, rng)
        for a, b, at, side, whole in zip(shown.start, shown.stop, pixel, size, shape, strict=True):
            assert a <= at < b or side > whole


def test_every_place_is_reached() -> None:
    rng = np.random.default_rng(0)
    starts = {anywhere((3, 4), (2, 2), rng).start for _ in range(200)}
    assert starts == {(row, column) for row in range(2) for column in range(3)}
    shown = {around((5, 5), (11, 11), (2, 2), rng).start for _ in range(200)}
    assert shown == {(row, column) for row in (4, 5) for column in (4, 5)}


@pytest.mark.parametrize("channels", [True, False])
def test_a_rare_class_is_met_as_often_as_a_common_one(channels: bool) -> None:
    ids = np.zeros((1, 10, 10), np.uint8)
    ids[0, :, :5], ids[0, 0, 9] = 1, 3
    target = np.concatenate([ids == 1, ids == 2, ids == 3]) if channels else ids
    rng = np.random.default_rng(0)
    pixels = [target_pixel(case(target), rng) for _ in range(1000)]
    assert pixels.count((0, 9)) == pytest.approx(500, abs=60)
    assert all(pixel is not None and ids[0][pixel] for pixel in pixels)
    assert len(set(pixels)) > 45


@pytest.mark.parametrize("dtype", [np.bool_, np.float32])
def test_targets_without_classes_have_one_kind_of_pixel(dtype: type[np.generic]) -> None:
    target = np.zeros((1, 3, 3), dtype)
    target[0, 1, 2] = 1
    assert target_pixel(case(target), np.random.default_rng(0)) == (1, 2)


def test_a_case_without_target_pixels_has_none_to_show() -> None:
    rng = np.random.default_rng(0)
    for target in (None, np.zeros((1, 2, 2), np.uint8), np.zeros((4, 2, 2), np.uint8)):
        assert target_pixel(case(target), rng) is None
        assert not is_positive(case(target))
    drawn = crop([case(np.zeros((1, 4, 5), np.uint8))], 0, (2, 2), 1.0, rng)
    assert drawn.origin == "random"


def test_facts_save_the_reading() -> None:
    class Unread(ArrayVolume):
        def read(self, region: Region) -> NDArray[Any]:
            raise AssertionError("the target was read")

    image = ArrayVolume(np.zeros((1, 2, 2), np.uint8))
    target = Unread(np.ones((1, 2, 2), np.uint8))
    assert is_positive(Case("a", "a", image, target, facts={"classes": "0,2"}))
    empty = Case("a", "a", image, target, facts={"classes": ""})
    assert not is_positive(empty)
    assert target_pixel(empty, np.random.default_rng(0)) is None
