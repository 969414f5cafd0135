"""The ledger of a prediction folder: which cases are finished, and the digests of their files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Literal

from lamina.errors import DataError
from lamina.files import append_line, read_lines
from lamina.folders import OUT_OF_FOLD, named, remote_url
from lamina.prediction.folder.digests import agrees, one_digest, stored_digest
from lamina.prediction.folder.manifest import Holds, PredictedCase

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
        self._tables = {row["file"]: row["sha256"] for row in rows if {"file", "sha256"} <= {*row}}
        self._sound: set[tuple[str, str]] = set()

    def only(self, ids: Iterable[str]) -> Ledger:
        """Return a ledger that knows these cases alone, to be read."""
        ledger = copy(self)
        ledger._done = {id: self._done[id] for id in ids if id in self._done}
        ledger._tables, ledger._sound = {}, set()
        return ledger

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
        self._write(row)
        self._sound.add((row["id"], "mask"))

    def take(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows of a case that a worker has collected."""
        for row in rows:
            self.begin(row)
            self.note(row)

    def _write(self, row: dict[str, Any]) -> None:
        append_line(self.folder / LEDGER, json.dumps(row))

    def files(self, case: PredictedCase) -> dict[str, Any]:
        """Return what is noted of files that were made of a finished case.

        That is ``files``, SHA-256 by path; ``native``, what those of the input's format hold;
        ``saved``, what was asked for; ``left_out``, with reasons. Empty: none were made, or the
        mask was made anew since.
        """
        row = self.row(case) or {}
        return {key: row[key] for key in ("files", "native", "saved", "left_out") if key in row}

    def note_files(
        self,
        case: PredictedCase,
        saved: Sequence[str],
        files: Mapping[str, str],
        left_out: Mapping[str, str],
        native: Mapping[str, Holds],
    ) -> None:
        """Write the row of a finished case anew, with files that were made of its answer.

        Args:
            case: The case.
            saved: Kinds of files that were asked for.
            files: SHA-256 of each, by its path in the folder.
            left_out: Kinds that could not be made, with the reason.
            native: What each file in the input's own format holds, by its path.
        """
        row = self._done[case.id] | {"saved": list(saved), "files": dict(files)}
        row |= {"left_out": dict(left_out), "native": dict(native)}
        self._done[case.id] = row
        self._write(row)

    def note_table(self, name: str, sha256: str) -> None:
        """Write the digest of a file that is made of all cases, unless it is there."""
        if self._tables.get(name) == sha256:
            return
        self._tables[name] = sha256
        self._write({"file": name, "sha256": sha256})

    def has(self, row: dict[str, Any], kind: Kind, *paths: Path) -> bool:
        """Whether the files of a kind have the digest of their row; they are read every time."""
        digests = [stored_digest(path) for path in paths]
        there = [one for one in digests if one is not None]
        same = len(there) == len(digests) and agrees(row.get(kind), one_digest(there))
        if same:
            self._sound.add((row["id"], kind))
        else:
            self._sound.discard((row["id"], kind))
        return same

    def check(self, case: PredictedCase, kind: Kind, *paths: Path) -> None:
        """Compare the files of a kind with their digest, the first time that they are read.

        Raises:
            DataError: the case is not finished, or a file is missing or not what was written.
        """
        row = self.row(case)
        if row is None:
            raise DataError(f"{self.folder}: '{case.id}' is not finished; {self.remedy}")
        if (case.id, kind) in self._sound:
            return
        for path in paths:
            if remote_url(path) is None and not path.exists():
                raise DataError(f"{path}: is missing; {self.remedy}")
        if not self.has(row, kind, *paths):
            raise DataError(
                f"{named(paths[0])}: does not match its digest in {LEDGER}, it was damaged or "
                "edited; "
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


class CollectedLedger(Ledger):
    """The ledger of a worker: its rows are collected for the process that writes them."""

    def __init__(self, folder: Path) -> None:
        """Begin without rows."""
        super().__init__(folder)
        self._rows: list[dict[str, Any]] = []

    def _write(self, row: dict[str, Any]) -> None:
        self._rows.append(row)

    def taken(self) -> list[dict[str, Any]]:
        """Return the rows that were collected since the last call."""
        rows, self._rows = self._rows, []
        return rows
