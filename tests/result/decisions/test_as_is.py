"""Nothing is decided; files hold values or bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.result.decisions import AsIs
from lamina.result.decisions.as_is import eight_bits


def test_the_mask_is_where_values_are_above_zero() -> None:
    assert AsIs()(np.array([[[0.0, 0.1, 2.0]]])).tolist() == [[[False, True, True]]]


def test_files_hold_stored_units_as_far_as_they_are_known() -> None:
    values = np.array([[0.0, 0.25, 1.0, -0.5]], np.float32)
    np.testing.assert_array_equal(AsIs().stored(values), values)
    found = AsIs().stored(values, offset=-4.0, span=10.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[-4, -1.5, 6, -9]])


def test_bytes_never_wrap_and_are_rounded_or_truncated() -> None:
    """NOISE-6, NOISE-14."""
    values = np.array([-3.0, -0.01, 0.0, 0.5, 0.999, 1.0, 1.01, 9.0, np.nan, np.inf, -np.inf])
    rounded = AsIs(store="uint8").stored(values)
    assert rounded.tolist() == [0, 0, 0, 128, 255, 255, 255, 255, 0, 255, 0]
    cut = AsIs(store="uint8", whole="truncate").stored(values)
    assert cut.tolist() == [0, 0, 0, 127, 254, 255, 255, 255, 0, 255, 0]
    assert rounded.dtype == cut.dtype == AsIs(store="uint8").kind_of_file == np.uint8
    assert AsIs().kind_of_file == np.float32


@settings(max_examples=50, deadline=None)
@given(st.floats(-2, 2, width=32))
def test_a_greater_value_is_never_a_smaller_byte(value: float) -> None:
    one, other = eight_bits(np.array([value, value + 0.01]), truncate=True)
    assert other >= one


@pytest.mark.parametrize("code", [0, 1, 127, 254, 255])
def test_bytes_come_back_as_they_were(code: int) -> None:
    assert eight_bits(np.array([code / 255]), truncate=False)[0] == code
