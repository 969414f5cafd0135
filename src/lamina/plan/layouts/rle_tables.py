"""Tables of run-length codes, as the steel and the pneumothorax competition publish them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import ClassVar

from lamina.plan.layouts.base import Layout, Match
from lamina.plan.tree import Tree

_GENERAL = re.compile(
    "all|annotations?|codes?|csv|data|encoded|fold|labels?|list|masks?|pixels?|rles?|runs?|seg"
    "|segmentation|siim|stage|submission|table|targets?|test|train|training|truth|val|valid"
)
_ROWS = 50  # that are looked at
_LONG = 1 << 20  # bytes of a table that are looked at


class RleTable(Layout):
    """A csv with ``EncodedPixels``; the columns and the codes themselves tell which dialect."""

    name: ClassVar[str] = "csv"
    rank: ClassVar[int] = 3

    def matches(self, tree: Tree) -> Iterator[Match]:
        """Yield each table whose rows name images that are there."""
        found = [match for name in tree.named(".csv") for match in self._of(tree, name)]
        for match in found:
            detail = str(match.data["table"]) if len(found) > 1 else ""
            yield Match(**{**match.__dict__, "detail": detail})

    def _of(self, tree: Tree, table: str) -> Iterator[Match]:
        columns, rows = _table(tree, table)
        if "EncodedPixels" not in columns:
            return
        if {"ImageId", "ClassId"} <= set(columns) or "ImageId_ClassId" in columns:
            dialect, task = "severstal", "multilabel"
        elif "ImageId" in columns:
            dialect, task = "siim", "binary"
        else:
            return
        name_column = columns.index("ImageId" if "ImageId" in columns else "ImageId_ClassId")
        names = [row[name_column].strip() for row in rows if len(row) > name_column]
        folder = _folder(tree, [_image(name, dialect) for name in names])
        if folder is None:
            return
        codes = [row[columns.index("EncodedPixels")] for row in rows if len(row) == len(columns)]
        order = _order(codes)
        yield Match(
            self.name,
            f"{table} has the columns {', '.join(columns)}, and its images lie in {folder}; "
            f"{order} starts of runs",
            {"kind": "csv_rle", "dialect": dialect, "table": table, "images": folder},
            1.0,
            task={"kind": task, "names": [_name(table)]} if task == "binary" else {"kind": task},
            meaning=f"the rows of {table}",
            claims=frozenset([table]),
            problem=_problem(table, dialect, order),
        )


def _name(table: str) -> str:
    """Return the one word of a table's name that is not of its format, or ``foreground``."""
    words = re.findall(r"[A-Za-z]+", PurePosixPath(table).stem)
    own = [word.lower() for word in words if not _GENERAL.fullmatch(word.lower())]
    return own[0] if len(own) == 1 and len(own[0]) > 2 else "foreground"


def _table(tree: Tree, name: str) -> tuple[list[str], list[list[str]]]:
    """Return the columns and the first rows of a csv file."""
    text = tree.head(name, _LONG).decode("utf-8-sig", errors="replace")
    lines = text.splitlines()[: _ROWS + 1]
    if not lines or len(lines[0]) > 4096:
        return [], []
    rows = list(csv.reader(lines))
    return [cell.strip() for cell in rows[0]], rows[1:]


def _image(name: str, dialect: str) -> str:
    """Return the name of the image in a row: a file's, without its suffix in the siim dialect."""
    stem, _, end = name.rpartition("_")
    if dialect == "severstal":
        return stem if stem and end.isdigit() and "." in stem else name
    return name


def _folder(tree: Tree, names: Sequence[str]) -> str | None:
    """Return the folder below the data folder that holds the images; None: they are not there."""
    wanted = set(names)
    hits = [
        name
        for name in tree.images
        if PurePosixPath(name).name in wanted or PurePosixPath(name).stem in wanted
    ]
    if not hits or not wanted:
        return None
    tops = {hit.partition("/")[0] if "/" in hit else "." for hit in hits}
    if len(tops) > 1:  # masks may be called as their images are
        plain = [top for top in ("train_images", "images", "train") if top in tops]
        tops = set(plain[:1]) or tops
    top = min(tops)
    inside = {hit.rpartition("/")[0] for hit in hits if hit.startswith(f"{top}/")}
    return inside.pop() if len(inside) == 1 else top


def _order(codes: Sequence[str]) -> str:
    """Return whether starts of runs are ``absolute``, ``relative`` or ``unclear``."""
    found = set()
    for code in codes:
        numbers = [int(word) for word in code.split() if word.lstrip("-").isdigit()]
        runs = list(zip(numbers[::2], numbers[1::2], strict=False))
        ends = 0
        rising = True
        for start, length in runs:
            rising = rising and start >= ends
            ends = start + length
        if len(runs) > 1:
            found.add("absolute" if rising else "relative")
    if "relative" in found:  # of relative codes a few may rise by chance, of absolute ones all do
        return "relative"
    return found.pop() if found else "unclear"


def _problem(table: str, dialect: str, order: str) -> str:
    if dialect == "severstal" and order == "relative":
        return (
            f"{table}: starts of runs do not rise, as they do in the severstal dialect; correct "
            "the codes, or leave ClassId out if they are those of the pneumothorax competition"
        )
    if dialect == "siim" and order == "absolute":
        return (
            f"{table}: starts of runs count from the first pixel, and in the siim dialect from the "
            "end of the run before; add a column ClassId of 1 to have them read as severstal"
        )
    return ""
