"""Names that come from data, joined to a folder that they must not leave."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from lamina.errors import DataError


def safe_join(root: Path, name: str) -> Path:
    """Join a name that comes from data to ``root``; refuse every way out of it.

    Raises:
        DataError: the name is absolute, climbs out, holds a NUL or a drive, or follows a link out.
    """
    text = unicodedata.normalize("NFC", name).replace("\\", "/")
    parts = text.split("/")
    if not text or "\0" in text or text.startswith("/") or ".." in parts or ":" in parts[0]:
        raise DataError(f"{name!r}: this name leaves the folder {root}; rename the file or the row")
    path = root / text
    if not path.resolve().is_relative_to(root.resolve()):
        raise DataError(f"{name!r}: a link leads out of the folder {root}; copy the file into it")
    return path
