"""Colours of classes and of errors in pictures: the same in overlays, report and viewer."""

from __future__ import annotations

PALETTE = ("#B9FF73", "#1394BF", "#F29130", "#9DC8F2", "#30F2C2", "#13BF94", "#F2C230", "#B39DF2")
"""Bright on grey. The first n are told apart by normal, protan, deutan and tritan eyes (simulated
after Machado et al. 2009): the least distance of two in OKLab is 0.29, 0.17, 0.12, 0.10, 0.09,
0.09, 0.08 for n = 2 to 8."""

FALSE = "#E8400C"
"""Predicted, and not there; drawn solid."""

MISSED = "#2458FF"
"""There, and not predicted; drawn hatched."""

RIGHT = "#FFFFFF"
"""Predicted, and there; drawn as an outline."""


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
