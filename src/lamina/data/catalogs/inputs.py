"""Images that the command line names, by their ids: files, folders, and rows of tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lamina.data.readers import SUFFIXES, is_image
from lamina.data.tables.csv import read_table
from lamina.errors import DataError
from lamina.files import safe_join

FOLDERS = ("images", "train_images", "test_images", "test")
"""Folders of images in a data folder, where the recipe names none."""

STANDARD_INPUT = Path("-")
"""Named in place of a list: paths are read from standard input."""

_ID_COLUMNS = ("image", "imageid", "imageid_classid", "path", "file", "filename", "id")


@dataclass(frozen=True)
class Input:
    """An image to predict; nothing of it is read yet."""

    id: str

    path: Path
    """The file, or a folder that is one image: a Zarr store, or the stack of a fragment."""

    why_not: str = ""
    """Why it cannot be read, where that is known already, such as of a line in a list."""

    def check(self) -> None:
        """Refuse what is known to be unreadable.

        Raises:
            DataError: it cannot be read.
        """
        if self.why_not:
            raise DataError(self.why_not)


def image_folder(folder: Path, *names: str) -> Path:
    """Return the first folder of these names in ``folder``, or else ``folder`` itself."""
    found = (safe_join(folder, name) for name in names)
    return next((one for one in found if one.is_dir()), folder)


def is_list(path: Path) -> bool:
    """Whether a path is a list of paths: a ``.txt`` file, or ``-`` for standard input."""
    return path == STANDARD_INPUT or path.suffix.lower() == ".txt"


def lines_of(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the paths that a list names, each with its place, such as ``list.txt: line 3``.

    Relative paths are taken from the folder of the list, those of standard input from the working
    folder. Empty lines are left out.

    Raises:
        DataError: the list is missing, or is no text.
    """
    own, name = path == STANDARD_INPUT, "standard input" if path == STANDARD_INPUT else str(path)
    if not own and not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    try:
        text = (sys.stdin.buffer.read() if own else path.read_bytes()).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name}: is no text, and a list names one path per line") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"{name}: line {number}", (Path() if own else path.parent) / line.strip()


def root_of(path: Path, folder: Path) -> Path | None:
    """Return the folder that the id of an image is relative to, of a list in ``folder``.

    It is a folder of images in ``folder``, or ``folder`` itself; None: the image lies elsewhere.
    """
    for root in (*(folder / name for name in FOLDERS), folder):
        if path.resolve().is_relative_to(root.resolve()):
            return root
    return None


def is_table(path: Path) -> bool:
    """Whether a file is a table, by its suffix."""
    return path.suffix.lower() in (".csv", ".tsv")


def named_by(table: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the images that the rows of a table name, each with the folder that it was found in.

    Names are paths from the table or from a folder of images beside it, with suffix or without.

    Raises:
        DataError: a row names no image, or one outside these folders.
    """
    found = read_table(table)
    column = found.column(*_ID_COLUMNS) or 0
    joint = found.columns[column].lower() == "imageid_classid"
    for row in found.rows:
        name = row.cells[column]
        yield _named(table, name.rpartition("_")[0] if joint else name, row.line)


def _named(table: Path, name: str, line: int) -> tuple[Path, Path]:
    roots = [table.parent, *(table.parent / folder for folder in FOLDERS)]
    for root in roots:
        for suffix in ("", *SUFFIXES):
            path = safe_join(root, name + suffix) if root.is_dir() else None
            if path is not None and is_image(path):
                return path, root
    raise DataError(
        f"{table}: line {line}: no image '{name}' beside the table or in "
        f"{', '.join(FOLDERS)} beside it; correct the name or add the file"
    )
