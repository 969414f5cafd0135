"""Which parts of a streamed answer are done, and the digests of what they wrote."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lamina.files import append_line, read_lines

LEDGER = "slabs.jsonl"


class Ledger:
    """A log with the plan, then one line for each finished part."""

    def __init__(
        self, folder: Path, plan: str, thick: Sequence[int], source: str | None = None
    ) -> None:
        """Go on with the log below ``folder``; work of another plan is removed.

        Args:
            folder: Of a case's work.
            plan: Digest of what decides the answer.
            thick: Slices or rows of a part along each axis, and the sides of a column if there
                are several.
            source: What tells that the image changed since; None: nothing does.
        """
        self._path = folder / LEDGER
        rows = read_lines(self._path)
        if _thick(rows, plan) != list(thick) or rows[0].get("source") != source:
            shutil.rmtree(folder, ignore_errors=True)
            head = {"plan": plan, "thick": list(thick)} | ({"source": source} if source else {})
            append_line(self._path, json.dumps(head))
            rows = []
        self._done = _parts(rows)

    def digest(self, axis: int, start: int, across: Sequence[int] = ()) -> str | None:
        """Return the digest of a part; None: it is not done.

        Args:
            axis: Number of the axis that is walked along.
            start: Where the part begins along it.
            across: Where its column begins along the axes after the first; none: whole planes.
        """
        return self._done.get((axis, start, *across))

    def note(self, axis: int, start: int, sha256: str, across: Sequence[int] = ()) -> None:
        """Note a part as done; of sums ``sha256`` is the checksums of files."""
        row = {"axis": axis, "start": start, "sha256": sha256}
        column = {"across": list(across)} if across else {}
        append_line(self._path, json.dumps(row | column))


def noted_thickness(folder: Path, plan: str) -> list[int] | None:
    """Return how thick the parts of a case's work are; None: there is none of this plan."""
    return _thick(read_lines(folder / LEDGER), plan)


def noted_digests(folder: Path, plan: str) -> list[str]:
    """Return what is noted of the parts of the last phase of a case's work, in order."""
    rows = read_lines(folder / LEDGER)
    if _thick(rows, plan) is None:
        return []
    parts = _parts(rows)
    last = max((axis for axis, *_ in parts), default=0)
    return [parts[key] for key in sorted(parts) if key[0] == last]


def _parts(rows: Sequence[dict[str, Any]]) -> dict[tuple[int, ...], str]:
    """Return the digests of parts by axis, start, and start of the column if there is one."""
    return {
        (row["axis"], row["start"], *row.get("across", ())): row["sha256"]
        for row in rows
        if "axis" in row
    }


def _thick(rows: Sequence[dict[str, Any]], plan: str) -> list[int] | None:
    if not rows or rows[0].get("plan") != plan:
        return None
    thick = rows[0].get("thick")
    whole = isinstance(thick, list) and all(isinstance(n, int) and n > 0 for n in thick)
    return thick if whole else None
