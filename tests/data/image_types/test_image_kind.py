"""READ-11: what a training's images were like, and what is done with others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.image_types.image_kind import ImageKind, as_learnt, kind_of
from lamina.errors import DataError
from lamina.seeding import rng
from lamina.volume import ArrayVolume, read_all

BYTES = rng(0, "kind").integers(0, 256, (1, 40, 50)).astype(np.uint8)
KIND = ImageKind(types=("uint8",), low=0, high=255, scale="whole")


def image(array: NDArray[Any]) -> ArrayVolume:
    return ArrayVolume(array, name="new.tif")


def test_read_11_types_are_those_of_all_and_the_range_that_of_the_values() -> None:
    images = [image(BYTES), image(BYTES // 2)]
    assert kind_of(images) == ImageKind(types=("uint8",), low=0, high=255, scale="whole")
    mixed = kind_of([image(BYTES), image(BYTES.astype(np.uint16) * 257)])
    assert mixed == ImageKind(types=("uint16", "uint8"), low=0, high=65535)
    floats = kind_of([image(rng(1, "f").normal(0, 1, (1, 9, 9)).astype(np.float32))])
    assert floats is not None
    assert (floats.types, floats.scale) == (("float32",), None)
    assert kind_of([]) is None


def test_read_11_values_of_large_volumes_are_looked_at_all_along_them() -> None:
    """Slabs from the first slice to the last, 4 Mi values at most."""
    large = np.zeros((1, 600, 128, 128), np.uint16)
    large[0, 0], large[0, -1] = 7, 999
    found = kind_of([image_of_volume(large)])
    assert found is not None
    assert (found.low, found.high) == (0, 999)


def image_of_volume(array: NDArray[Any]) -> ArrayVolume:
    return ArrayVolume(array, "zyx")


@pytest.mark.parametrize(
    "array",
    [BYTES.astype(np.uint16) * 257, BYTES.astype(np.float32) / 255, BYTES.astype(np.float64)],
)
def test_read_11_8_bits_in_other_types_are_read_as_they_were_learnt(array: NDArray[Any]) -> None:
    found, said = as_learnt(image(array), KIND)
    np.testing.assert_array_equal(read_all(found), BYTES)
    assert found.dtype == np.uint8
    assert said is not None
    assert "read as uint8 of 0 to 255" in said


def test_read_11_bytes_are_read_as_the_floats_that_were_learnt() -> None:
    floats = BYTES.astype(np.float32) / 255
    kind = kind_of([image(floats)])
    assert kind is not None
    found, _ = as_learnt(image(BYTES), kind)
    np.testing.assert_array_equal(read_all(found), floats)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (rng(2, "wide").integers(0, 65536, (1, 40, 50)).astype(np.uint16), KIND),
        (rng(3, "unit").random((1, 40, 50)).astype(np.float32), KIND),
        (
            rng(4, "big").random((1, 40, 50)).astype(np.float32) * 255,
            ImageKind(types=("float32",), low=0, high=1),
        ),
        (
            rng(5, "small").random((1, 40, 50)).astype(np.float32),
            ImageKind(types=("float32",), low=0, high=254.5),
        ),
        (BYTES, ImageKind(types=("float32",), low=-2.5, high=2.5)),
    ],
)
def test_read_11_other_types_and_ranges_are_refused_with_both(
    array: NDArray[Any], kind: ImageKind
) -> None:
    with pytest.raises(DataError, match=r"new.tif: holds .*, and the members learnt from") as error:
        as_learnt(image(array), kind)
    assert kind.words in str(error.value)
    assert str(array.dtype) in str(error.value)


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (BYTES // 40, KIND),  # a dark image
        (np.zeros((1, 4, 5), np.uint16), KIND),  # 0 is 0
        (np.full((1, 4, 5), 9000, np.int16), ImageKind(types=("int16",), low=-1024, high=3071)),
        (BYTES, ImageKind(types=("float32", "uint8"), low=0, high=1)),
    ],
)
def test_what_is_alike_is_left_alone(array: NDArray[Any], kind: ImageKind) -> None:
    held = image(array)
    assert as_learnt(held, kind) == (held, None)


def test_whole_numbers_of_a_range_learnt_are_the_same_numbers_in_any_type() -> None:
    kind = ImageKind(types=("int16",), low=-1024, high=3071)
    scan = image(rng(6, "scan").integers(-1000, 3000, (1, 9, 9)).astype(np.float32))
    found, said = as_learnt(scan, kind)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(read_all(found), scan.array)
    assert said is not None


def test_the_order_of_axes_is_remembered_and_another_one_is_told() -> None:
    stored = rng(2, "axes").integers(0, 256, (1, 4, 5, 6)).astype(np.uint8)
    learnt = kind_of([ArrayVolume(stored, "xyz")])
    assert learnt is not None
    assert learnt.axes == "xyz"
    assert as_learnt(ArrayVolume(stored, "xyz"), learnt)[1] is None
    told = as_learnt(ArrayVolume(stored, "zyx"), learnt)[1]
    assert told is not None
    assert "its axes are zyx, and the network learnt from xyz" in told
    assert as_learnt(ArrayVolume(stored, "zyx"), learnt, planes=False)[1] is None  # of blocks
    assert kind_of([image(BYTES)]) == KIND  # images have no such order
    mixed = kind_of([ArrayVolume(stored, "xyz"), ArrayVolume(stored, "zyx")])
    assert mixed is not None
    assert mixed.axes is None
