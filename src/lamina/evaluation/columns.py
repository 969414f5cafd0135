"""Rows as aligned columns of plain text."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return one line per row: the first column to the left, all others to the right.

    Args:
        rows: The head and the rows, all of one length.

    Example:
        >>> aligned([["class", "score"], ["scratch", "0.81"]])
        ['class    score', 'scratch   0.81']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        row[0].ljust(widths[0])
        + "".join(f"  {cell.rjust(width)}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
