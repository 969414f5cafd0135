"""The ledger of a prediction folder: which cases are finished, and the digests of their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from lamina.errors import DataError
from lamina.files import append_line, digest, read_lines
from lamina.folders import OUT_OF_FOLD
from lamina.prediction.folder.manifest import PredictedCase

LEDGER = "ledger.jsonl"

Kind = Literal["probability", "mask"]
"""Kind of a case's file, and the key of its digest in a row."""


class Ledger:
    """One line per finished case, with the digests of its files.

    The digest of a file is compared once, when the file is first read.
    """

    def __init__(self, folder: Path) -> None:
        """Read the ledger of a folder; lines that are not whole are passed over."""
        self.folder = folder
        rows = read_lines(folder / LEDGER)
        self._done = {row["id"]: row for row in rows if isinstance(row.get("id"), str)}
        self._sound: set[tuple[str, str]] = set()

    def row(self, case: PredictedCase) -> dict[str, Any] | None:
        """Return the row of a case; None: it is not finished, or was made of another source."""
        row = self._done.get(case.id)
        if row is None or row.get("source") != case.sha256:
            return None
        return row if row.get("members") == list(case.members) else None

    def begin(self, row: dict[str, Any]) -> None:
        """Take the row of a case whose probabilities were just written."""
        self._done[row["id"]] = row
        self._sound.add((row["id"], "probability"))

    def note(self, row: dict[str, Any]) -> None:
        """Write the row of a case both of whose files were just written."""
        append_line(self.folder / LEDGER, json.dumps(row))
        self._sound.add((row["id"], "mask"))

    def has(self, row: dict[str, Any], kind: Kind, path: Path) -> bool:
        """Whether a file has the digest of its row; it is read every time."""
        same = path.exists() and digest(path) == row.get(kind)
        if same:
            self._sound.add((row["id"], kind))
        else:
            self._sound.discard((row["id"], kind))
        return same

    def check(self, case: PredictedCase, kind: Kind, path: Path) -> None:
        """Compare a file with its digest, the first time that it is read.

        Raises:
            DataError: the case is not finished, or its file is missing or not what was written.
        """
        row = self.row(case)
        if row is None:
            raise DataError(f"{self.folder}: '{case.id}' is not finished; {self.remedy}")
        if (case.id, kind) in self._sound:
            return
        if not path.exists():
            raise DataError(f"{path}: is missing; {self.remedy}")
        if not self.has(row, kind, path):
            raise DataError(
                f"{path}: does not match its digest in {LEDGER}, it was damaged or edited; "
                f"{self.remedy}"
            )

    @property
    def remedy(self) -> str:
        """How damaged files are made again."""
        if self.folder.name == OUT_OF_FOLD:
            verb = "train` or `lamina ensemble"
        elif self.folder.parent.name == "labels":
            verb = "pseudo"
        else:
            verb = "predict"
        return f"run the same `lamina {verb}` again, which makes only damaged files anew"
