"""Tables of run-length codes in the dialects of competitions, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lamina.data.names import nfc
from lamina.data.tables.case_names import rows_of
from lamina.data.tables.csv import Row, Table
from lamina.errors import DataError, listed

_MOST_CLASSES = 256
_NOTHING = ("", "-1")


@dataclass(frozen=True)
class Entry:
    """One row: the line it stands on, its image, its class from 0, and the code; empty: none."""

    line: int
    image: str
    index: int
    text: str


def severstal_entries(table: Table) -> list[Entry]:
    """Return the rows of a table of the steel competition, of either generation (STEEL-2).

    Raises:
        DataError: a column is missing, or a class is no number from 1.
    """
    joint, pixels = table.column("ImageId_ClassId"), table.column("EncodedPixels")
    image, number = table.column("ImageId"), table.column("ClassId")
    if pixels is None or (joint is None and (image is None or number is None)):
        raise DataError(
            f"{table.path}: line 1: has the columns {', '.join(table.columns)}; needed are "
            "ImageId, ClassId, EncodedPixels, or ImageId_ClassId, EncodedPixels"
        )

    def parts(row: Row) -> tuple[str, str]:
        if image is not None and number is not None:
            return row.cells[image], row.cells[number]
        name, _, last = row.cells[joint or 0].rpartition("_")
        return name, last

    entries, odd = [], []
    for row in table.rows:
        name, text = parts(row)
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_CLASSES):
            odd.append(f"line {row.line}: class '{text}' of image '{name}'")
            continue
        name = nfc(name)
        entries.append(Entry(row.line, name, int(text) - 1, row.cells[pixels]))
    if odd:
        raise DataError(
            listed(f"{table.path}: classes must be numbers from 1 to {_MOST_CLASSES}", odd)
        )
    _refuse_minus_one(table, entries, other=image is not None)
    return entries


def _refuse_minus_one(table: Table, entries: Sequence[Entry], *, other: bool) -> None:
    """Refuse the other competition's sign for no mask; ``other``: its columns are there."""
    found = [f"line {e.line}: '{e.image}'" for e in entries if e.text == "-1"]
    if found:
        dialect = (
            ", or set data.dialect: siim if the codes are of that dialect (one class, each start "
            "relative to the end of the run before, -1 for no mask)"
        )
        raise DataError(
            listed(
                f"{table.path}: {len(found)} codes are -1; leave the cell empty where an image has "
                f"no mask{dialect if other else ''}",
                found,
            )
        )


def siim_entries(table: Table) -> list[Entry]:
    """Return the rows of a table of the X-ray competition; an image may have several (SIIM-1).

    Blanks before a column's name or a cell do not count; -1 or an empty cell is no mask.

    Raises:
        DataError: a column is missing.
    """
    image, pixels = table.column("ImageId"), table.column("EncodedPixels")
    if image is None or pixels is None:
        raise DataError(
            f"{table.path}: line 1: has the columns {', '.join(table.columns)}; needed are "
            "ImageId, EncodedPixels"
        )
    return [
        Entry(row.line, nfc(row.cells[image]), 0, _code(row.cells[pixels])) for row in table.rows
    ]


def _code(cell: str) -> str:
    return "" if cell in _NOTHING else cell


def for_images(entries: Sequence[Entry], images: Iterable[str]) -> list[Entry]:
    """Return rows with the id of the image that they mean, as ``rows_of`` finds it."""
    named = {entry.image: entry.image for entry in entries}
    id_of = {row: id for id, row in rows_of(images, named).items()}
    return [replace(entry, image=id_of.get(entry.image, entry.image)) for entry in entries]


def refuse_lost(entries: Sequence[Entry], images: Mapping[str, Path], table: Path) -> None:
    """Raise DataError where rows name images that are not there."""
    lost = [f"line {e.line}: '{e.image}'" for e in entries if e.image not in images]
    if lost:
        folder = next(iter(images.values())).parent
        named = {entry.image for entry in entries}
        free = [name for name in images if name not in named] or list(images)
        raise DataError(
            listed(
                f"{table}: {len(lost)} rows name images that are not in {folder}; "
                f"add the images (those there are called such as '{free[0]}') or delete the rows",
                lost,
            )
        )


def refuse_double(entries: Sequence[Entry], table: Path) -> None:
    """Raise DataError where an image and class stand in more than one row."""
    first: dict[tuple[str, int], int] = {}
    double = [
        f"line {entry.line}: '{entry.image}' class {entry.index + 1}, first on line {before}"
        for entry in entries
        if (before := first.setdefault((entry.image, entry.index), entry.line)) != entry.line
    ]
    if double:
        raise DataError(
            listed(f"{table}: {len(double)} rows repeat an image and class; keep one", double)
        )
