"""What is damaged and read again: valid samples, the function that reads one, and its checksums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Target:
    """A reader or a loader, with samples to damage."""

    name: str

    make: Callable[[Path], None]
    """Writes valid samples below a folder, each a folder of its own."""

    load: Callable[[Path], Any]
    """Reads all there is of a sample, given its folder; what it returns is compared by ``repr``."""

    checked: bool = False
    """Whether a checksum covers the data, so that damage never gives other data."""

    damaged: tuple[str, ...] = ("**/*",)
    """Patterns of the files of a sample that are damaged."""
