"""Room on the disk for what is written here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lamina.doctor.examined import Examined
from lamina.doctor.finding import Area, Finding


@dataclass(frozen=True)
class Disk:
    """A run keeps a few states of its network: a few hundred MB for a large one."""

    folder: Path = Path()
    """Where runs are written: the current folder."""
    least: int = 2 << 30
    """Bytes."""
    name: str = "disk"
    area: Area = "machine"

    def __call__(self, examined: Examined) -> Iterator[Finding]:
        """Compare what is free with the least."""
        free = shutil.disk_usage(self.folder).free
        where, said = str(self.folder.resolve()), f"{free / 2**30:.1f} GiB free"
        if free < self.least:
            yield Finding("warning", where, said, "free some space, or write to another disk")
        else:
            yield Finding("fine", where, said)
