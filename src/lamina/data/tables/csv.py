"""Tables of text with the line of every row: what people call csv, and export in many ways.

A byte order mark and a ``;`` or tab in place of the comma are taken as they come; a row that
does not fit the header, or a quote that does not close, is refused with its line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from lamina.errors import DataError, listed

_SEPARATORS = ",;\t"
_LONGEST_CELL = 2**31 - 1  # characters; a run-length code outgrows csv's default of 131072


@dataclass(frozen=True)
class Row:
    """One row: the line of the file on which it starts (counted from 1), and its cells."""

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A header and rows of as many cells, all stripped of outer blanks."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def column(self, *names: str) -> int | None:
        """Return the index of the first column called any of ``names``, in any case; or None."""
        found = [column.lower() for column in self.columns]
        for name in names:
            if name.lower() in found:
                return found.index(name.lower())
        return None


def read_table(path: Path) -> Table:
    """Read a whole table as text.

    Raises:
        DataError: the file is missing, empty or not UTF-8; a quote does not close; a column
            stands twice; rows have another number of cells than the header (all are listed).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream, _long_cells():
            first = stream.readline()
            separator = max(_SEPARATORS, key=first.count)
            stream.seek(0)
            rows = list(_rows(stream, separator, path))
    except FileNotFoundError:
        raise DataError(f"{path}: no such table{_neighbours(path)}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); save it as a UTF-8 csv") from error
    if not rows:
        raise DataError(f"{path}: an empty table; it needs a header and rows")
    columns = rows[0].cells
    if len({column.lower() for column in columns}) < len(columns):
        raise DataError(f"{path}: line 1: a column name is repeated: {', '.join(columns)}")
    odd = [
        f"line {row.line}: {len(row.cells)} cells" for row in rows if len(row.cells) != len(columns)
    ]
    if odd:
        raise DataError(
            listed(f"{path}: rows do not fit the header of {len(columns)} columns", odd)
        )
    return Table(path, columns, tuple(rows[1:]))


def _rows(stream: TextIO, separator: str, path: Path) -> Iterator[Row]:
    reader = csv.reader(stream, delimiter=separator, strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Row(start, tuple(cell.strip() for cell in cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}: line {start}: a stray quote or a broken row ({error}); correct the line"
        ) from error


@contextmanager
def _long_cells() -> Iterator[None]:
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _neighbours(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; there is no folder {path.parent}"
    tables = sorted(other.name for other in path.parent.glob("*.csv"))
    return f"; tables in that folder: {', '.join(tables) or 'none'}"
