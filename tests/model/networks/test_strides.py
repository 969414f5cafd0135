"""Strides and kernels of levels, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.model.networks.strides import SMALLEST, kernels_of, multiples_of, strides_of

# size, spacing, most levels; then of each level "stride/kernel" along the axes.
CASES = [
    # 64 -> 32 -> 16 -> 8 -> 4
    ((64, 64), (1, 1), 9, "11/33 22/33 22/33 22/33 22/33"),
    # 4 x 6 cannot be halved to 4: one level
    ((4, 6), (1, 1), 9, "11/33"),
    # 12 -> 6 is the last of the rows; columns go on to 4
    ((12, 32), (1, 1), 9, "11/33 22/33 12/33 12/33"),
    # 36 -> 18 -> 9, which is odd
    ((36, 64), (1, 1), 9, "11/33 22/33 22/33 12/33 12/33"),
    # no more levels than asked for
    ((256, 256), (1, 1), 3, "11/33 22/33 22/33"),
    # rows 4 times as coarse: 4/1, 4/2 (not below 2), 4/4; columns are used up first
    ((32, 64), (4, 1), 9, "11/13 12/13 12/33 22/33 22/33 21/33"),
    # rows go 8 -> 4 while columns, 8 times as coarse, wait; then columns go alone
    ((8, 64), (1, 8), 9, "11/31 21/31 12/31 12/31 12/31 12/31"),
    # sections of 50 nm, pixels of 4.6 nm: 50/4.6, 50/9.2, 50/18.4 = 2.7, 50/36.8 = 1.4
    ((8, 192, 192), (50, 4.6, 4.6), 5, "111/133 122/133 122/133 122/333 222/333"),
    # the same to the end: 192 -> 96 -> 48 -> 24 -> 12 -> 6
    ((8, 192, 192), (50, 4.6, 4.6), 9, "111/133 122/133 122/133 122/333 222/333 122/333"),
    # slices of 3 mm, pixels of 0.78 mm: 3.8, then 3/1.56 = 1.9
    (
        (48, 192, 192),
        (3, 0.78, 0.78),
        6,
        "111/133 122/333 222/333 222/333 222/333 122/333",
    ),
    # equal spacing: 96 -> 48 -> 24 -> 12 -> 6
    ((16, 96, 96), (2, 2, 2), 9, "111/333 222/333 222/333 122/333 122/333"),
    # one slice: never halved, and no kernel reaches beyond it
    ((1, 32, 32), (1, 1, 1), 9, "111/133 122/133 122/133 122/133"),
]


@pytest.mark.parametrize(("size", "spacing", "most", "levels"), CASES)
def test_levels_by_hand(
    size: tuple[int, ...], spacing: tuple[float, ...], most: int, levels: str
) -> None:
    found = strides_of(size, spacing, most)
    kernels = kernels_of(size, spacing, found)
    texts = [
        "/".join("".join(map(str, one)) for one in pair)
        for pair in zip(found, kernels, strict=True)
    ]
    assert " ".join(texts) == levels


sides = st.lists(st.integers(1, 200), min_size=2, max_size=3)


@given(sides, st.lists(st.floats(0.1, 50), min_size=3, max_size=3), st.integers(1, 8))
def test_sides_are_whole_multiples_and_never_too_small(
    size: list[int], spacing: list[float], most: int
) -> None:
    strides = strides_of(size, spacing[: len(size)], most)
    assert 1 <= len(strides) <= most
    for side, multiple in zip(size, multiples_of(strides), strict=True):
        assert side % multiple == 0
        assert multiple == 1 or side // multiple >= SMALLEST
    kernels = kernels_of(size, spacing[: len(size)], strides)
    for axis in zip(*kernels, strict=True):
        assert list(axis) == sorted(axis)  # once 3, always 3


@given(sides, st.floats(0.1, 50))
def test_only_ratios_of_spacings_count(size: list[int], unit: float) -> None:
    spacing = [4.0, 1.0, 1.0][: len(size)]
    scaled = [unit * step for step in spacing]
    assert strides_of(size, spacing, 6) == strides_of(size, scaled, 6)
