"""A file that was made of a finished case."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lamina.prediction.folder.manifest import Holds


@dataclass(frozen=True)
class OutputFile:
    """A file, as the ledger notes it."""

    path: str
    """In the folder of predictions, with slashes."""

    sha256: str
    """Its digest."""

    holds: Holds | None = None
    """Its content, where it is in the format of the case's source."""


def inside(root: Path, path: Path) -> str:
    """Return the path of a file in a folder of predictions, with slashes."""
    return path.relative_to(root).as_posix()
