"""Digests of files that are taken from an index for as long as their files stay the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class KnownDigests:
    """The digests of some files; can be sent to another process."""

    rows: Mapping[str, tuple[int, int, str]] = field(default_factory=dict)
    """Size, time in ns and SHA-256 of files, by name."""

    def of(self, name: str) -> str | None:
        """Return the SHA-256 of a file whose size and time are those it had; else None."""
        row = self.rows.get(name)
        if row is None:
            return None
        try:
            stat = os.stat(name)  # noqa: PTH116 - no object for each of 100,000 names
        except OSError:
            return None
        size, mtime_ns, sha256 = row
        return sha256 if (size, mtime_ns) == (stat.st_size, stat.st_mtime_ns) else None
