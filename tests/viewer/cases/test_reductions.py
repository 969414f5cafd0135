"""Blocks by hand, and against numpy where sides are whole multiples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.viewer.cases.reductions import maxima, means


@given(
    st.integers(1, 23), st.integers(1, 23), st.integers(2, 5), st.sampled_from(["f2", "u1", "?"])
)
def test_the_largest_of_each_block_stays(rows: int, columns: int, factor: int, kind: str) -> None:
    values = (np.random.default_rng(rows).random((2, rows, columns)) * 1.9).astype(kind)
    found = maxima(values, factor)
    assert found.dtype == values.dtype
    assert found.shape == (2, -(-rows // factor), -(-columns // factor))
    for y in range(found.shape[1]):
        for x in range(found.shape[2]):
            part = values[:, y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
            assert (found[:, y, x] == part.max(axis=(1, 2))).all()


def test_minus_zero_is_not_the_largest() -> None:
    values = np.array([[[-0.0, 0.25], [-0.0, 0.0]]], np.float16)
    assert maxima(values, 2) == np.float16(0.25)


@pytest.mark.parametrize(("kind", "kept"), [("u1", "u1"), ("u2", "u2"), ("f8", "f4"), ("i2", "f4")])
def test_means_of_whole_blocks(kind: str, kept: str) -> None:
    values = np.random.default_rng(0).integers(0, 200, (2, 12, 8)).astype(kind)
    found = means(values, 4)
    assert found.dtype == np.dtype(kept)
    wanted = values.reshape(2, 3, 4, 2, 4).mean(axis=(2, 4))
    assert np.abs(found - wanted).max() <= (0.5 if kept[0] == "u" else 1e-3)


def test_the_last_block_repeats_its_end() -> None:
    values = np.array([[[0, 0, 0, 0, 9]]], np.float32)
    assert means(values, 4).tolist() == [[[0.0, 9.0]]]
