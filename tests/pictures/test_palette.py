"""Colours of classes."""

from __future__ import annotations

from lamina.pictures.palette import PALETTE, colour, rgb


def test_colours_repeat_and_are_different() -> None:
    assert [colour(k) for k in range(len(PALETTE))] == list(PALETTE)
    assert colour(len(PALETTE)) == PALETTE[0]
    assert len({rgb(name) for name in PALETTE}) == len(PALETTE)
    assert rgb("#010a10") == (1, 10, 16)
