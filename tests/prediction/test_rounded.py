"""Answers are rounded to their stored type to the bytes that numpy gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lamina.prediction.rounded import put_rounded


def values() -> NDArray[np.float32]:
    """Return every float16 of 0..1 and below 0, what lies half-way between two, and its neighbours.

    With some below the least float16, and below the least normal one.
    """
    codes = np.arange(0x7800, dtype=np.uint16).view(np.float16).astype(np.float32)
    middle = (codes[1:] + codes[:-1]) / 2
    beside = [np.nextafter(middle, np.float32(side)) for side in (-np.inf, np.inf)]
    tiny = np.float32(2) ** -np.arange(20, 149, dtype=np.float32)
    found = np.concatenate([codes, middle, *beside, tiny])
    return np.concatenate([found, -found]).astype(np.float32)


@pytest.mark.parametrize("form", ["plain", "strided", "backwards", "frozen"])
def test_each_number_is_rounded_as_numpy_does(form: str) -> None:
    assert torch.get_num_threads() >= 1  # loaded, so that it is used
    given = values()
    if form == "strided":
        given = np.repeat(given, 2)[::2]
    elif form == "backwards":
        given = given[::-1]
    elif form == "frozen":
        given.flags.writeable = False
    out = np.empty(given.shape, np.float16)
    put_rounded(given, out)
    assert out.tobytes() == given.astype(np.float16).tobytes()


def test_values_are_stored_as_they_are() -> None:
    out = np.empty(values().shape, np.float32)
    put_rounded(values(), out)
    assert out.tobytes() == values().tobytes()


def test_a_part_of_an_array_is_written_in_place() -> None:
    given = values()[:24].reshape(2, 3, 4)
    out = np.zeros((2, 5, 6), np.float16)
    put_rounded(given, out[:, 1:4, :4])
    assert out[:, 1:4, :4].tobytes() == given.astype(np.float16).tobytes()
    assert not out[:, 0].any()
    assert not out[:, :, 4:].any()
