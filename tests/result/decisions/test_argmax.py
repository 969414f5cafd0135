"""Argmax by hand, and its law: exactly one class at every pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from lamina.result.decisions import Argmax


def test_a_tie_goes_to_the_lowest_class() -> None:
    prob = np.array([[[0.4, 0.2, 0.3]], [[0.4, 0.4, 0.3]], [[0.2, 0.4, 0.4]]], np.float32)
    assert Argmax()(prob).argmax(axis=0).tolist() == [[0, 1, 2]]


def test_between_background_and_fault_a_tie_is_background() -> None:
    """FAULT-14."""
    fault = np.array([0.5, np.nextafter(np.float16(0.5), np.float16(1)), 0.0, 1.0], np.float16)
    masks = Argmax()(np.stack([1 - fault, fault])[:, None, None])
    assert masks[1].ravel().tolist() == [False, True, False, True]
    np.testing.assert_array_equal(masks[0], ~masks[1])


@settings(max_examples=25)
@given(arrays(np.float16, (3, 2, 2, 2), elements=st.sampled_from([0.0, 0.25, 0.5])))
def test_exactly_one_class_at_every_pixel(prob: NDArray[np.float16]) -> None:
    masks = Argmax()(prob)
    assert masks.dtype == np.bool_
    assert (masks.sum(axis=0) == 1).all()
