"""Extremes and percentiles in pieces against numpy on the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from lamina.data.views import chunks as pieces
from lamina.data.views.percentiles import extremes, percentiles
from lamina.errors import DataError
from lamina.volume import ArrayVolume

TYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "f2", "f4", "f8"]


def volume(array: NDArray[Any]) -> ArrayVolume:
    return ArrayVolume(array[None], "zyx", "cube.npy")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_percentiles_are_those_of_numpy_for_every_type(data: st.DataObject) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(TYPES)))
    elements = st.floats(-1000, 1000, width=16) if dtype.kind == "f" else None
    array = data.draw(
        arrays(dtype, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=elements)
    )
    wanted = data.draw(st.lists(st.floats(0, 100), min_size=1, max_size=3))
    found = percentiles(volume(array), wanted)
    np.testing.assert_allclose(
        found, np.percentile(array.astype(np.float64), wanted), rtol=1e-12, atol=1e-9
    )
    assert extremes(volume(array)) == (float(array.min()), float(array.max()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16])
def test_many_pieces_are_as_one(dtype: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.random.default_rng(0).normal(0, 900, (11, 12, 13)).astype(dtype)
    monkeypatch.setattr(pieces, "PIECE", 100)
    found = percentiles(volume(array), (0.5, 50, 99.5))
    np.testing.assert_allclose(found, np.percentile(array.astype(np.float64), (0.5, 50, 99.5)))


def test_values_far_apart_are_told_apart() -> None:
    numbers = [-3e38, -7, -1e-45, -0.0, 0.0, 1e-45, 1e-3, 1, 3e38]
    array = np.array(numbers, np.float32)[::-1].reshape(1, 3, 3)
    assert extremes(volume(array)) == (array.min(), array.max())
    found = [percentiles(volume(array), [100 * k / 8])[0] for k in range(9)]
    np.testing.assert_array_equal(np.float32(found), np.sort(array.ravel()))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_fault_I09_what_is_no_number_is_refused(value: float) -> None:
    array = np.zeros((2, 3, 4), np.float32)
    array[1, 2, 3] = value
    for measure in (extremes, lambda one: percentiles(one, [50])):
        with pytest.raises(DataError, match=r"cube\.npy: 1 of 24 values read are not numbers"):
            measure(volume(array))
