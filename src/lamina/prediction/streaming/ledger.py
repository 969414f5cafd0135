"""Which parts of a streamed answer are done, and the digests of what they wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lamina.files import append_line, read_lines

LEDGER = "slabs.jsonl"


class Ledger:
    """A log with the plan, then one line for each finished part."""

    def __init__(self, folder: Path, plan: str) -> None:
        """Go on with the log below ``folder``; work of another plan is removed."""
        self._path = folder / LEDGER
        rows = read_lines(self._path)
        if not rows or rows[0].get("plan") != plan:
            shutil.rmtree(folder, ignore_errors=True)
            append_line(self._path, json.dumps({"plan": plan}))
            rows = []
        self._done: dict[tuple[int, int], str] = {
            (row["axis"], row["start"]): row["sha256"] for row in rows if "axis" in row
        }

    def digest(self, axis: int, start: int) -> str | None:
        """Return the digest of the part that begins at ``start`` along an axis; None: not done."""
        return self._done.get((axis, start))

    def note(self, axis: int, start: int, sha256: str) -> None:
        """Note a part as done."""
        row = {"axis": axis, "start": start, "sha256": sha256}
        append_line(self._path, json.dumps(row))
