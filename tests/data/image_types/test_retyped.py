"""READ-11: levels of 8 bits in any type, by the formula of each, and nothing rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.data.image_types.retyped import Cast, Retyped, Scale, levels, scale_of
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume, read_all

LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
STORED: dict[Scale, NDArray[Any]] = {
    "whole": LEVELS,
    "times_257": LEVELS.astype(np.uint16) * 257,
    "over_255": LEVELS.astype(np.float32) / 255,
}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("wanted", STORED)
def test_read_11_every_scale_is_found_and_turned_into_every_other(
    stored: Scale, wanted: Scale
) -> None:
    array = STORED[stored]
    assert scale_of(array) == stored
    found = levels(array, stored)
    assert found is not None
    np.testing.assert_array_equal(found, LEVELS)
    view = Retyped(ArrayVolume(array), stored, wanted, str(STORED[wanted].dtype))
    assert view.dtype == STORED[wanted].dtype
    np.testing.assert_array_equal(read_all(view), STORED[wanted])


@pytest.mark.parametrize(
    "array",
    [
        np.array([0, 257, 300], np.uint16),
        np.array([-1, 200], np.int16),
        np.array([0, 0.5], np.float32),  # 127.5 levels
        np.array([0.5, 3.0], np.float32),
        np.zeros(4, np.uint16),  # 0 on every scale
        np.array([True, False]),
    ],
)
def test_what_is_not_of_8_bits_is_on_no_scale(array: NDArray[Any]) -> None:
    assert scale_of(array) is None


def test_a_value_between_levels_is_refused_where_it_is_read() -> None:
    array = STORED["times_257"].copy()
    array[0, 15, 15] -= 1
    view = Retyped(ArrayVolume(array, name="a.tif"), "times_257", "whole", "uint8")
    view.read(Region((0, 0), (15, 16)))
    with pytest.raises(DataError, match=r"a.tif: most of its values are those of 8 bits"):
        view.read(Region((15, 0), (16, 16)))


def test_numbers_of_another_type_are_the_same_or_refused() -> None:
    whole = ArrayVolume(np.array([[[-1000.0, 3000.0]]], np.float32), name="a.nii")
    np.testing.assert_array_equal(read_all(Cast(whole, "int16"))[0, 0], [-1000, 3000])
    with pytest.raises(DataError, match=r"a.nii: some values .* are none of int16"):
        read_all(Cast(ArrayVolume(np.full((1, 1, 1), 0.5), name="a.nii"), "int16"))
