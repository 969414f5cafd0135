"""Compiled inner loops of the sums of layers over cells; imported where layers are summed."""

from __future__ import annotations

from typing import Any

import numba

_compile: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


def _count_cells(chosen: Any, rows: Any, columns: Any, count: Any) -> None:
    for y in range(chosen.shape[0]):
        if rows[y] >= 0:
            for x in range(chosen.shape[1]):
                if columns[x] >= 0 and chosen[y, x]:
                    count[rows[y], columns[x]] += 1


count_cells: Any = _compile(_count_cells)


def _add_cells(
    part: Any, valid: Any, ink: Any, rows: Any, columns: Any, total: Any, inks: Any
) -> None:
    """Add a part (t, h, w) to the sums (Y, X, t) of cells; row and column -1 do not count."""
    for z in range(part.shape[0]):
        for y in range(part.shape[1]):
            if rows[y] < 0:
                continue
            for x in range(part.shape[2]):
                if columns[x] >= 0 and valid[y, x]:
                    total[rows[y], columns[x], z] += part[z, y, x]
                    if ink[y, x]:
                        inks[rows[y], columns[x], z] += part[z, y, x]


add_cells: Any = _compile(_add_cells)
