"""Colours of classes in pictures."""

from __future__ import annotations

PALETTE = ("#E69F00", "#56B4E9", "#F06BB5", "#F0E442", "#1FC48D", "#E8590C", "#9B7BFF", "#2F7FE0")
"""Bright on grey, and told apart by colour-blind eyes (after Okabe and Ito)."""


def colour(k: int) -> str:
    """Return the colour of class ``k`` as #RRGGBB; colours repeat after the palette."""
    return PALETTE[k % len(PALETTE)]


def rgb(name: str) -> tuple[int, int, int]:
    """Return red, green and blue of ``#RRGGBB``, 0..255 each.

    Example:
        >>> rgb("#E69F00")
        (230, 159, 0)
    """
    red, green, blue = (int(name[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue
