"""Text of bands against the text of the whole mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lamina.rle.bands import encode_rows
from lamina.rle.codec import decode, encode


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 9),
    st.integers(1, 7),
    st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    st.lists(st.integers(0, 9), max_size=4),
    st.integers(0, 99),
)
def test_bands_give_the_text_of_the_whole(
    rows: int, columns: int, share: float, cuts: list[int], seed: int
) -> None:
    """INK-27: row-major pairs counted from 1, and runs over the end of a band are one run."""
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    bands = np.split(mask, sorted(min(cut, rows) for cut in cuts))
    text = "".join(encode_rows(bands))
    assert text == (encode(mask, "vesuvius") if mask.size else "")
    np.testing.assert_array_equal(decode(text, (rows, columns), "vesuvius"), mask)


def test_runs_that_touch_the_first_and_the_last_pixel() -> None:
    """INK-27: the published encoder broke here."""
    assert "".join(encode_rows([np.array([[1, 1, 0], [0, 0, 1]])])) == "1 2 6 1"
    assert "".join(encode_rows([np.ones((2, 3), bool), np.ones((1, 3), bool)])) == "1 9"
    assert "".join(encode_rows([np.zeros((2, 3), bool)])) == ""
    assert "".join(encode_rows([])) == ""


def test_many_runs_are_the_same_text() -> None:
    """INK-27: bands with so many runs that compiled loops write them."""
    mask = np.random.default_rng(0).random((90, 700)) < 0.5
    text = "".join(encode_rows(np.split(mask, [1, 40, 41, 85])))
    assert text == encode(mask, "vesuvius")


def test_a_band_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="columns"):
        list(encode_rows([np.ones((2, 3), bool), np.ones((2, 4), bool)]))
