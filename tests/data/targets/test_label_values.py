"""Stored label values are counted and looked up as a slow twin does."""

from __future__ import annotations

import numpy as np
import pytest

from lamina.data.targets.label_values import MaskStack, looked_up, plain, remedy, values_in
from lamina.geometry.region import Region
from lamina.volume import ArrayVolume


def test_counts_are_those_of_numpy_whatever_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = np.random.default_rng(0).integers(-4, 4, (7, 11, 5), np.int16)
    wanted = dict(zip(*(part.tolist() for part in np.unique(stored, return_counts=True)),
                      strict=True))  # fmt: skip
    for piece in (1, 100, 10**6):
        monkeypatch.setattr("lamina.data.targets.label_values._PIECE", piece)
        assert values_in(ArrayVolume(stored[None], "zyx")) == wanted


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "u4", "i8"])
def test_a_value_out_of_the_types_range_is_only_unused(dtype: str) -> None:
    table = ((-1, 3), (0, 0), (5, 1), (70_000, 2))
    stored = np.array([[0, 5, 6]], dtype)
    classes, odd = looked_up(stored, table, np.dtype(np.uint8))
    assert classes[0, :2].tolist() == [0, 1]
    assert odd.tolist() == [[False, False, True]]


def test_masks_in_a_stack_are_no_colours() -> None:
    masks = np.array([[[0, 1]], [[1, 1]]], np.uint8)
    flat, pages = (
        MaskStack(ArrayVolume(masks), False),
        MaskStack(ArrayVolume(masks[None], "zyx"), True),
    )
    for stack in (flat, pages):
        assert (stack.channels, stack.axes, stack.shape) == (2, "yx", (1, 2))
        assert plain(stack, stack.read(Region((0, 1), (1, 2)))).tolist() == [[[1]], [[1]]]
        assert values_in(stack) == {0: 1, 1: 3}


@pytest.mark.parametrize(
    ("counts", "known", "top", "words"),
    [
        ({0: 5, 255: 1}, {0, 1}, 1, "set data.labels: {0: 0, 255: 1}"),
        ({255: 6}, {0, 1}, 1, "set data.labels: {0: 0, 255: 1}"),
        ({0: 5, 1: 3, 255: 1}, {0, 1}, 1, "name each in data.labels"),
        ({0: 5, 254: 3, 255: 1, 3: 1}, {0, 1}, 1, "resized or saved as JPEG"),
        ({0: 5, 10: 3, 20: 1}, {0, 1, 2}, 2, "set data.labels: {0: 0, 10: 1, 20: 2}, or another"),
        ({0: 5, 9: 3}, {0, 1, 2}, 2, "name each in data.labels"),
        (dict.fromkeys(range(60), 1), {0, 1, 2}, 2, "resized or saved as JPEG"),
    ],
)
def test_the_remedy_suits_the_values(
    counts: dict[int, int], known: set[int], top: int, words: str
) -> None:
    odd = {value: count for value, count in counts.items() if value not in known}
    assert words in remedy(counts, odd, top)
