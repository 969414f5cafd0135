"""Images that the command line names, by their ids: files, folders, and rows of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lamina.data.readers import SUFFIXES, is_image
from lamina.data.tables.csv import read_table
from lamina.errors import DataError
from lamina.files import safe_join

FOLDERS = ("images", "train_images", "test_images", "test")
"""Folders of images in a data folder, where the recipe names none."""

_ID_COLUMNS = ("image", "imageid", "imageid_classid", "path", "file", "filename", "id")


@dataclass(frozen=True)
class Input:
    """An image to predict; nothing of it is read yet."""

    id: str

    path: Path
    """The file, or a folder that is one image: a Zarr store, or the stack of a fragment."""


def image_folder(folder: Path, *names: str) -> Path:
    """Return the first folder of these names in ``folder``, or else ``folder`` itself."""
    found = (safe_join(folder, name) for name in names)
    return next((one for one in found if one.is_dir()), folder)


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
