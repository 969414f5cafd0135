"""What every figure is: an SVG with a title and the numbers drawn in it."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAINT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#7B3FF2", "#8C6D1F")
"""Colours of lines, dark enough for a white page (after Okabe and Ito 2008)."""

INK, FAINT = "#1c2733", "#c9d1d9"
"""Colours of text and of grids."""

WIDE, THIRD, SMALL = (9.4, 2.9), (4.6, 2.9), (4.6, 1.7)
"""Sizes in inches."""


@dataclass(frozen=True)
class Plot:
    """A figure of a page."""

    name: str
    """Name of its files, without suffix."""
    title: str
    svg: str
    """The drawing as text."""
    header: tuple[str, ...]
    """Names of the columns of its numbers."""
    rows: tuple[tuple[Any, ...], ...]
    """The numbers drawn."""
    told: str = ""
    """What the picture shows, in words."""

    @property
    def uri(self) -> str:
        """The drawing as a data URI."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()

    @property
    def csv(self) -> str:
        """The numbers as comma-separated text."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return text.getvalue()


def axes(size: tuple[float, float] = THIRD) -> tuple[Figure, Axes]:
    """Return an empty figure of this size, in inches, and its axes."""
    figure = Figure(figsize=size, layout="constrained")
    drawn = figure.add_subplot()
    drawn.spines[["top", "right"]].set_visible(False)
    drawn.tick_params(labelsize=8, colors=INK)
    drawn.grid(color=FAINT, lw=0.5, alpha=0.6)
    return figure, drawn


def finished(
    figure: Figure,
    name: str,
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    told: str = "",
) -> Plot:
    """Return a figure as text with its numbers; the same numbers give the same text."""
    text = io.StringIO()
    # a fixed salt and no date: the same run gives the same page
    with matplotlib.rc_context({"svg.hashsalt": "lamina", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    return Plot(name, title, text.getvalue(), tuple(header), tuple(map(tuple, rows)), told)
