"""Figures are SVG, the same each time, with their numbers."""

from __future__ import annotations

import base64

from lamina.reporting.figures.plot import axes, finished


def test_the_same_numbers_give_the_same_svg() -> None:
    both = []
    for _ in range(2):
        figure, drawn = axes()
        drawn.plot([0, 1], [1, 0])
        both.append(finished(figure, "a", "A", ("x", "y"), [(0, 1), (1, 0)]))
    assert both[0] == both[1]
    head, _, data = both[0].uri.partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(data).decode() == both[0].svg
    assert "<svg" in both[0].svg
    assert both[0].csv == "x,y\n0,1\n1,0\n"
