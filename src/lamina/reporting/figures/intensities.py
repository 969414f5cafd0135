"""Values of images, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lamina.reporting.figures.plot import INK, PAINT, Plot, axes, finished


class Spread(NamedTuple):
    """Quantiles of the values of a group."""

    group: str
    shares: tuple[float, ...]
    """The 1, 25, 50, 75 and 99 % quantiles, as stored."""


def intensities(spreads: Sequence[Spread]) -> Plot:
    """Plot the quantiles of each group: a line from 1 to 99 %, a bar from 25 to 75 %, a tick."""
    figure, drawn = axes((9.4, 0.8 + 0.24 * len(spreads)))
    for row, (_, (low, lower, middle, upper, high)) in enumerate(spreads):
        drawn.plot([low, high], [row, row], color=INK, lw=1)
        drawn.barh(row, upper - lower, left=lower, height=0.55, color=PAINT[0], alpha=0.7)
        drawn.plot([middle, middle], [row - 0.35, row + 0.35], color=PAINT[1], lw=2)
    names = [spread.group.replace("$", r"\$")[-40:] for spread in spreads]
    drawn.set_yticks(range(len(spreads)), names, fontsize=8)
    drawn.invert_yaxis()
    drawn.set_xlabel("value, as stored", fontsize=8)
    header = ("group", "1 %", "25 %", "50 %", "75 %", "99 %")
    rows = [(spread.group, *spread.shares) for spread in spreads]
    return finished(figure, "intensities", "values by group", header, rows)
