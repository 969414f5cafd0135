"""Axes of arrays: named, or with one reading, or refused with the spellings to choose from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lamina.errors import DataError
from lamina.inference.array_input import Expected, array_input

GREY, COLOUR, VOLUME = Expected(1, False), Expected(3, False), Expected(1, True)
BLOCKS, FEATURES = Expected(1, True, images=False), Expected(2, True, images=False)


@pytest.mark.parametrize(
    ("shape", "expected", "axes", "inside"),
    [
        ((5, 7), GREY, None, (1, 5, 7)),
        ((5, 7, 1), GREY, None, (1, 5, 7)),
        ((1, 5, 7), GREY, None, (1, 5, 7)),
        ((5, 7, 3), COLOUR, None, (3, 5, 7)),
        ((3, 5, 7), COLOUR, None, (3, 5, 7)),
        ((4, 5, 7), VOLUME, None, (1, 4, 5, 7)),
        ((7, 5), GREY, "xy", (1, 5, 7)),
        ((7, 5, 4), VOLUME, "xyz", (1, 4, 5, 7)),
        ((1, 4, 5, 7), VOLUME, "czyx", (1, 4, 5, 7)),
        ((3, 3, 3), COLOUR, "yxc", (3, 3, 3)),
        ((1, 5, 7), BLOCKS, None, (1, 1, 5, 7)),
        ((4, 5, 7, 2), FEATURES, "zyxc", (2, 4, 5, 7)),
    ],
)
def test_readings(
    shape: tuple[int, ...], expected: Expected, axes: str | None, inside: tuple[int, ...]
) -> None:
    array = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    given = array_input(array, axes, expected, "a")
    assert given.volume.array.shape == inside
    assert np.shares_memory(given.volume.array, array)
    assert given.volume.array.sum(dtype=int) == array.sum(dtype=int)


def test_an_answer_comes_back_in_the_order_of_the_array() -> None:
    array = np.random.default_rng(0).integers(0, 255, (7, 5, 4), np.uint8)
    given = array_input(array, "xyz", VOLUME, "a")
    assert given.axes == "xyz"
    np.testing.assert_array_equal(given.back(given.volume.array)[0], array)


@pytest.mark.parametrize(
    ("shape", "expected", "axes", "message"),
    [
        ((3, 5, 3), COLOUR, None, 'axes="yxc" or axes="cyx"'),
        ((1, 5, 7), VOLUME, None, 'axes="cyx" or axes="zyx"'),
        ((5, 7, 4), COLOUR, None, "fits no reading"),
        ((5, 7), COLOUR, None, "numpy.repeat"),
        ((5, 7, 3), GREY, "yxc", r"image\[..., 0\]"),
        ((4, 5, 7), GREY, "zyx", "one slice at a time"),
        ((5, 7), GREY, "yy", "different letter"),
        ((5, 7), GREY, "yxc", "each of the 2 axes"),
        ((5,), GREY, None, "fits no reading"),
        ((5, 7), BLOCKS, None, "1 channel, axes zyx; name the axes"),
        ((5, 7), BLOCKS, "yx", "pass a volume"),
        ((2, 5, 7), FEATURES, None, "fits no reading"),
        ((0, 7), GREY, None, "is empty"),
    ],
)
def test_what_has_two_readings_or_none_is_refused(
    shape: tuple[int, ...], expected: Expected, axes: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        array_input(np.zeros(shape, np.uint8), axes, expected, "a")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4), bool), r"\* 255"),
        (np.zeros((4, 4), complex), "numpy.abs"),
        (np.full((4, 4), np.nan), "16 values are NaN"),
        (np.full((4, 4), 1e300), "overflow float32"),
        (np.array([["a"]]), "integers or floats"),
        ([np.zeros((4, 4))], "model.map"),
        (torch.zeros(4, 4, requires_grad=True), "detach"),
        (Image.new("P", (4, 4)), r"\.convert"),
        (Image.new("CMYK", (4, 4)), r"\.convert"),
    ],
    ids=["bool", "complex", "nan", "overflow", "text", "list", "gradient", "palette", "cmyk"],
)
def test_what_is_no_image_is_refused(image: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        array_input(image, None, GREY, "a")


def test_tensors_and_pictures_are_arrays() -> None:
    array = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    for image in (torch.from_numpy(array), Image.fromarray(array, "RGB")):
        given = array_input(image, None, COLOUR, "a")
        np.testing.assert_array_equal(given.volume.array, array.transpose(2, 0, 1))


def test_volumes_are_turned_to_the_order_that_the_networks_saw() -> None:
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    expected = Expected(channels=1, volumes=True, order="xyz")
    found = array_input(array, "zyx", expected, "array")
    assert (found.volume.axes, found.volume.shape) == ("xyz", (4, 3, 2))
    assert (found.volume.array[0] == array.transpose(2, 1, 0)).all()
    assert (found.back(found.volume.array)[0] == array).all()
    same = array_input(array, "xyz", expected, "array")
    assert (same.volume.array[0] == array).all()
