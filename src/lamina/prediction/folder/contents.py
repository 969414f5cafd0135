"""What lies in a folder that predictions are to be written to, and what of it may go."""

from __future__ import annotations

import shutil
from pathlib import Path

from lamina.errors import RecipeError
from lamina.files import LOCK
from lamina.prediction.folder.ledger import LEDGER
from lamina.prediction.folder.manifest import HEADER

OUTPUTS = ("overlays", "objects", "native")
"""Folders of files that are made of decided predictions."""

TABLES = ("objects.csv", "objects.geojson")
"""Files that are made of all cases."""


def holds_others(folder: Path) -> bool:
    """Whether a folder holds anything besides the lock of its process.

    What begins with a dot is no content: a process that was killed leaves such files.
    """
    return folder.is_dir() and any(
        path.name[0] != "." and path.name != LOCK for path in folder.iterdir()
    )


def clear(folder: Path) -> None:
    """Remove what an earlier prediction wrote, and nothing else; the header goes first.

    Raises:
        RecipeError: the folder holds no predictions, but something else.
    """
    if holds_others(folder) and not (folder / HEADER).exists():
        raise RecipeError(f"{folder}: holds no predictions to overwrite; choose another --out")
    for name in (HEADER, LEDGER, *TABLES):
        (folder / name).unlink(missing_ok=True)
    for name in ("probabilities", "masks", "uncertainty", "work", *OUTPUTS):
        shutil.rmtree(folder / name, ignore_errors=True)
