"""From the numbers in trace headers to a regular grid of traces, or to why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """Which trace stands where: inlines and crosslines in rising order of their numbers.

    Files that are sorted by one of them, as nearly all are, need three numbers: the trace of
    inline i and crossline j is ``first + i * down + j * across``. Others need a ``table``.
    """

    shape: tuple[int, int]
    first: int = 0
    down: int = 0
    across: int = 0
    table: Numbers | None = None
    lines: tuple[tuple[int, int], tuple[int, int]] | None = field(default=None, compare=False)
    """First number and step of inlines, and of crosslines; a step of 0: there is only one."""

    def traces(self, rows: slice, columns: slice) -> Numbers:
        """Return the numbers of the traces of some inlines and crosslines, from 0."""
        if self.table is not None:
            return self.table[rows, columns]
        i, j = (np.arange(part.start, part.stop)[:, None] for part in (rows, columns))
        return np.asarray(self.first + i * self.down + j.T * self.across)


@dataclass(frozen=True)
class NoGrid:
    """What the headers hold instead of a grid, in words."""

    why: str

    line: bool = False
    """Whether all traces stand on one inline or crossline."""


def grid_of(inlines: NDArray[Any], crosslines: NDArray[Any], *, lines: int = 1) -> Grid | NoGrid:
    """Return the grid that the numbers of all traces make.

    Args:
        inlines: Inline number of each trace, in the order of the file.
        crosslines: Crossline number of each trace.
        lines: Fewest inlines and crosslines that count as a cube.
    """
    rows, row = np.unique(inlines, return_inverse=True)
    columns, column = np.unique(crosslines, return_inverse=True)
    shape, count = (len(rows), len(columns)), len(inlines)
    said = f"{_span(rows, 'inlines')} and {_span(columns, 'crosslines')}"
    places = row.astype(np.int64) * len(columns) + column
    held = len(np.unique(places))
    missing, double = shape[0] * shape[1] - held, count - held
    if missing or double:
        return NoGrid(
            f"{said} with {missing} traces missing and {double} traces more than one to a place"
        )
    if min(shape) < lines:
        return NoGrid(f"{said}, a line, not a cube", line=missing == double == 0)
    for name, numbers in (("inlines", rows), ("crosslines", columns)):
        if len(np.unique(np.diff(numbers))) > 1:
            return NoGrid(f"{said}, but the {name} do not rise in equal steps")
    table = np.empty(count, np.int64)
    table[places] = np.arange(count)
    return replace(_compact(table.reshape(shape)), lines=(_rise(rows), _rise(columns)))


def _compact(table: Numbers) -> Grid:
    shape = (table.shape[0], table.shape[1])
    first = int(table[0, 0])
    down = int(table[1, 0]) - first if shape[0] > 1 else 0
    across = int(table[0, 1]) - first if shape[1] > 1 else 0
    grid = Grid(shape, first, down, across)
    if np.array_equal(grid.traces(slice(0, shape[0]), slice(0, shape[1])), table):
        return grid
    return Grid(shape, table=table)


def _rise(numbers: NDArray[Any]) -> tuple[int, int]:
    return int(numbers[0]), int(numbers[1]) - int(numbers[0]) if len(numbers) > 1 else 0


def _span(numbers: NDArray[Any], what: str) -> str:
    return f"{len(numbers)} {what} ({numbers[0]} to {numbers[-1]})"
