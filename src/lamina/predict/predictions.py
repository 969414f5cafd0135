"""Predictions on disk: probabilities, masks, and how they came about.

    prediction.json            what was asked of whom, and the list of cases
    probabilities/NAME.npy     (K, *S) float16; float32 values for restore
    masks/NAME.png|tif         after the decision
    ledger.jsonl               one line per finished case, with the digests of its files

A case counts as finished only when the ledger says so and its files still have the digests
written there; a file that merely exists means nothing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError, RecipeError
from lamina.files import append_line, digest, read_lines, write_json, write_with
from lamina.predict.info import HEADER, Info, PredictedCase, must_continue, read_info
from lamina.predict.masks import read_mask, suffix, write_mask
from lamina.predict.names import check_ids, file_name
from lamina.result.decisions import AnyDecision
from lamina.task import Task

__all__ = [
    "HEADER",
    "LEDGER",
    "Info",
    "PredictedCase",
    "Predictions",
    "one_digest",
    "source_digest",
]

LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class Predictions:
    """A folder of predictions, opened."""

    folder: Path
    info: Info
    _done: dict[str, dict[str, Any]] = field(repr=False, compare=False)

    @classmethod
    def create(cls, folder: Path, info: Info, *, overwrite: bool = False) -> Predictions:
        """Begin a folder, or go on with one of the same plan.

        Finished cases stay; a case whose source changed will be predicted again.

        Raises:
            RecipeError: the folder holds predictions of another plan or of other cases.
            DataError: two ids are one file on some machine.
        """
        check_ids(case.id for case in info.cases)
        if overwrite:
            _clear(folder)
        elif (folder / HEADER).exists():
            must_continue(folder, read_info(folder), info)
        elif folder.is_dir() and any(path.name[0] != "." for path in folder.iterdir()):
            # What begins with a dot is no content: a process that was killed leaves such files.
            raise RecipeError(
                f"{folder}: is not empty and holds no predictions; choose another --out"
            )
        write_json(folder / HEADER, info.model_dump(mode="json"))
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Predictions:
        """Open a folder that ``lamina predict`` wrote, finished or not.

        Raises:
            DataError: it holds no predictions, or its header is damaged.
        """
        rows = {row["id"]: row for row in read_lines(folder / LEDGER) if "id" in row}
        return cls(folder, read_info(folder), rows)

    @property
    def task(self) -> Task:
        """What the channels mean."""
        return self.info.recipe.task

    @property
    def decision(self) -> AnyDecision:
        """The decision that masks follow."""
        return self.info.decision

    @property
    def ids(self) -> list[str]:
        """Ids of the finished cases, in the order of the list."""
        return [case.id for case in self.info.cases if self._row(case) is not None]

    def case(self, id: str) -> PredictedCase:
        """Return what is known of a case.

        Raises:
            DataError: there is no such case.
        """
        for case in self.info.cases:
            if case.id == id:
                return case
        raise DataError(f"{self.folder}: no case '{id}'; it has {len(self.info.cases)} others")

    def prob(self, id: str) -> NDArray[Any]:
        """Return (K, *S) float16 probabilities (float32 values for restore), memory-mapped.

        Raises:
            DataError: the case is not finished, or its file is missing or damaged.
        """
        case = self.case(id)
        if self._row(case) is None:
            raise DataError(f"{self.folder}: '{id}' is not finished; run the same predict again")
        path = self.prob_path(id)
        try:
            prob = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: not readable ({error}); predict again") from error
        if prob.shape[1:] != case.shape:
            raise DataError(
                f"{path}: has shape {prob.shape}, the case {case.shape}; run the same predict again"
            )
        return np.asarray(prob) if prob.size == 0 else prob

    def mask(self, id: str) -> NDArray[np.bool_]:
        """Return (K, *S) masks: the current decision on the stored probabilities."""
        return self.decision(self.prob(id))

    def stored_mask(self, id: str) -> NDArray[Any]:
        """Return (K, *S) from the mask file: bool, or float32 values for restore."""
        return read_mask(self.mask_path(id), self.task, self.case(id).shape)

    def prob_path(self, id: str) -> Path:
        """Where the probabilities of a case lie."""
        return self.folder / "probabilities" / f"{file_name(id)}.npy"

    def mask_path(self, id: str) -> Path:
        """Where the mask of a case lies."""
        ending = suffix(self.task, len(self.case(id).shape))
        return self.folder / "masks" / f"{file_name(id)}{ending}"

    def finished(self, id: str) -> bool:
        """Whether the case is done and both files still have the digests of the ledger."""
        row = self._row(self.case(id))
        if row is None or row.get("decision") != _digest_of(self.decision):
            return False
        return self._has(row, "probability", self.prob_path(id)) and self._has(
            row, "mask", self.mask_path(id)
        )

    def add(self, id: str, prob: NDArray[np.float32]) -> None:
        """Store the answer (K, *S) of a case with its mask, then note it as finished.

        Raises:
            ResourceError: the disk is full; nothing is noted.
        """
        case = self.case(id)
        if prob.shape[1:] != case.shape:
            raise ValueError(f"{id}: an answer {prob.shape} for a case {case.shape}")
        kind = np.float32 if self.task.kind == "restore" else np.float16

        def write(path: Path) -> None:
            stored = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=prob.shape)
            stored[...] = prob
            stored.flush()

        self._note(case, write_with(self.prob_path(id), write))

    def redecide(self, id: str) -> bool:
        """Write the mask anew if the decision changed since; return whether the case is finished.

        Only the mask is made again: the probabilities must still have their digest.
        """
        case = self.case(id)
        row = self._row(case)
        if row is None or not self._has(row, "probability", self.prob_path(id)):
            return False
        if not self.finished(id):
            self._note(case, row["probability"])
        return True

    def with_decision(self, decision: AnyDecision) -> Predictions:
        """Return the predictions with another decision; mask files follow with ``redecide``."""
        return replace(self, info=self.info.model_copy(update={"decision": decision}))

    def _note(self, case: PredictedCase, probability: str) -> None:
        row = {"id": case.id, "source": case.sha256, "members": list(case.members)}
        row["probability"] = probability
        self._done[case.id] = row
        prob = self.prob(case.id)
        answer = prob if self.task.kind == "restore" else self.decision(prob)
        row["mask"] = write_mask(self.mask_path(case.id), answer, self.task)
        row["decision"] = _digest_of(self.decision)
        append_line(self.folder / LEDGER, json.dumps(row))

    def _row(self, case: PredictedCase) -> dict[str, Any] | None:
        row = self._done.get(case.id)
        if row is None or row.get("source") != case.sha256:
            return None
        return row if row.get("members") == list(case.members) else None

    @staticmethod
    def _has(row: dict[str, Any], key: str, path: Path) -> bool:
        return path.is_file() and digest(path) == row.get(key)


def _digest_of(decision: AnyDecision) -> str:
    return hashlib.sha256(decision.model_dump_json().encode()).hexdigest()


def _clear(folder: Path) -> None:
    """Remove what an earlier prediction wrote, and nothing else; the header goes first."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / HEADER).exists():
        raise RecipeError(f"{folder}: holds no predictions to overwrite; choose another --out")
    for name in (HEADER, LEDGER):
        (folder / name).unlink(missing_ok=True)
    for name in ("probabilities", "masks"):
        shutil.rmtree(folder / name, ignore_errors=True)


def source_digest(files: Sequence[str]) -> str:
    """Return the digest of a case's files: that of the one file, or of all digests in order."""
    return one_digest([digest(Path(name)) for name in files])


def one_digest(digests: Sequence[str]) -> str:
    """Return the digest that stands for those of a case's files."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
