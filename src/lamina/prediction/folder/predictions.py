"""Predictions on disk: probabilities, masks, and how they came about.

    prediction.json            what was asked of whom, and the list of cases
    probabilities/NAME.npy     (K, *S) float16 of an image; float32 values for restore
    probabilities/NAME.zarr    the same of a volume or a large image, in chunks
    masks/NAME.png|tif         after the decision; masks/CLASS/NAME where classes overlap
    ledger.jsonl               one line per finished case, with the digests of its files
    work/NAME                  a volume or large image that is being predicted

A case counts as finished only when the ledger says so and its files still have the digests
written there; a file that merely exists means nothing. The digest of a file is compared once in
each opened folder, when the file is first read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError, RecipeError
from lamina.files import write_with
from lamina.geometry.region import Region
from lamina.prediction.cases.work import digest_of_store, drop_work, place_in, written_bytes
from lamina.prediction.check_answer import check_answer
from lamina.prediction.folder.case_masks import (
    LastDecided,
    decided_parts,
    mask_paths,
    read_case_masks,
    write_case_masks,
)
from lamina.prediction.folder.contents import clear, holds_others
from lamina.prediction.folder.digests import decision_digest
from lamina.prediction.folder.digests import one_digest as one_digest
from lamina.prediction.folder.digests import source_digest as source_digest
from lamina.prediction.folder.file_names import check_ids, file_name
from lamina.prediction.folder.ledger import LEDGER, Ledger
from lamina.prediction.folder.manifest import (
    HEADER,
    Info,
    PredictedCase,
    must_continue,
    named,
    read_info,
    write_info,
)
from lamina.prediction.rounded import put_rounded
from lamina.prediction.streaming.place import Place
from lamina.public import StrPath, as_path
from lamina.refusals import reading
from lamina.result.calibration import Calibration, calibrated
from lamina.result.decisions import AnyDecision, AsIs
from lamina.task import Task

if TYPE_CHECKING:
    from lamina.prediction.streaming.zarr_store import Store

__all__ = ["HEADER", "LEDGER", "Info", "PredictedCase", "Predictions"]


@dataclass(frozen=True)
class Predictions:
    """A folder of predictions, opened."""

    folder: Path
    info: Info
    _ledger: Ledger = field(repr=False, compare=False)
    _last: LastDecided = field(default_factory=LastDecided, repr=False, compare=False)
    calibration: tuple[Calibration, ...] = ()
    """What stored probabilities go through as they are read; none: they are as they should be.
    Out-of-fold predictions are stored before ``lamina tune`` calibrates their members."""

    @classmethod
    def create(cls, folder: Path, info: Info, *, overwrite: bool = False) -> Predictions:
        """Begin a folder, or go on with one of the same plan.

        Finished cases stay; a case whose source changed will be predicted again.

        Raises:
            RecipeError: the folder holds predictions of other bundles or options or of other cases.
            DataError: two ids are one file on some machine.
        """
        check_ids(case.id for case in info.cases)
        before: Info | None = None
        if overwrite:
            clear(folder)
        elif (folder / HEADER).exists():
            before = read_info(folder)
            must_continue(folder, before, info)
        elif holds_others(folder):
            raise RecipeError(
                f"{folder}: is not empty and holds no predictions; choose another --out"
            )
        write_info(folder, named(info, before))
        return cls.open(folder)

    @classmethod
    def begun(cls, folder: Path) -> Info | None:
        """Return the header of a folder in which something was predicted; None: nothing was.

        Raises:
            DataError: the header is damaged.
        """
        some = (folder / LEDGER).exists() or (folder / "work").exists()
        return read_info(folder) if some and (folder / HEADER).exists() else None

    @classmethod
    def open(cls, folder: StrPath) -> Predictions:
        """Open a folder that ``lamina predict`` wrote, finished or not.

        Args:
            folder: The folder.

        Raises:
            DataError: it holds no predictions, or its header is damaged.

        Example:
            >>> predictions = Predictions.open("pred")
            >>> prob = predictions.prob(predictions.ids[0])
            >>> prob.ndim, str(prob.dtype), len(prob) == predictions.task.outputs
            (3, 'float16', True)
        """
        folder = as_path(folder)
        return cls(folder, read_info(folder), Ledger(folder))

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
        return [case.id for case in self.info.cases if self._ledger.row(case) is not None]

    def case(self, id: str) -> PredictedCase:
        """Return what is known of a case.

        Raises:
            DataError: there is no such case.
        """
        case = self._cases.get(id)
        if case is None:
            raise DataError(f"{self.folder}: no case '{id}'; it has {len(self._cases)} others")
        return case

    @cached_property
    def _cases(self) -> dict[str, PredictedCase]:
        return {case.id: case for case in self.info.cases}

    def prob(self, id: str) -> NDArray[Any]:
        """Return (K, *S) float16 probabilities (float32 values for restore).

        Those of an image are memory-mapped; those of a volume or a large image are read into
        memory as a whole: ``slabs`` does not.

        Raises:
            DataError: the case is not finished, or its file is missing or damaged.
        """
        case, path = self.case(id), self.prob_path(id)
        if case.chunked:
            return self._calibrated(self._store(case).read())
        self._ledger.check(case, "probability", path)
        with reading(path, remedy=self._ledger.remedy):
            prob = np.load(path, mmap_mode="r", allow_pickle=False)
        self._check_shape(case, prob.shape)
        return self._calibrated(np.asarray(prob) if prob.size == 0 else prob)

    def reader(self, id: str) -> Callable[[Region], NDArray[Any]]:
        """Return what reads any part (K, *region) of ``prob``, opened once; it raises as that."""
        if not self.case(id).chunked:
            whole = self.prob(id)
            return lambda region: whole[(slice(None), *region.slices)]
        store = self._store(self.case(id))
        return lambda region: self._calibrated(store.read(region))

    def slabs(self, id: str) -> Iterator[tuple[Region, NDArray[Any]]]:
        """Yield what ``prob`` returns in parts (K, *region), in order along the first axis.

        An image is one part; a part of a volume or of a large image takes up to 64 MiB.

        Raises:
            DataError: as ``prob``.
        """
        case = self.case(id)
        if not case.chunked:
            yield Region.whole(case.shape), self.prob(id)
            return
        store = self._store(case)
        for region in store.slabs():
            yield region, self._calibrated(store.read(region))

    def decided(self, id: str) -> Iterator[tuple[Region, NDArray[Any], NDArray[Any]]]:
        """Yield parts with their probabilities and decided masks; values of restore twice.

        Volumes and large images come in slabs where each pixel is decided by itself, perhaps after
        a first pass over all of them, and else as a whole.
        """
        return decided_parts(self, id, self._last)

    def mask(self, id: str) -> NDArray[np.bool_]:
        """Return (K, *S) masks: the current decision on the stored probabilities."""
        if self.task.kind == "restore" or self.case(id).chunked:
            return self.decision(self.prob(id))
        return next(masks for _, _, masks in self.decided(id))

    def stored_mask(self, id: str) -> NDArray[Any]:
        """Return (K, *S) from the mask file: bool, or restored values as they are stored.

        Raises:
            DataError: the case is not finished, or its file is missing or damaged.
        """
        self._ledger.check(self.case(id), "mask", *self.mask_paths(id))
        return read_case_masks(self.folder, self.task, self.case(id))

    def in_stored_units(self, id: str, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return restored values in the units of the image's file, float32."""
        case = self.case(id)
        return np.asarray(values, np.float32) * np.float32(case.span) + np.float32(case.offset)

    def prob_path(self, id: str) -> Path:
        """Where the probabilities of a case lie: a path, or one that stands for an address."""
        if not self.case(id).chunked:
            return self.folder / "probabilities" / f"{file_name(id)}.npy"
        return Path(self.info.store or self.folder / "probabilities") / f"{file_name(id)}.zarr"

    def mask_path(self, id: str) -> Path:
        """Where the mask of a case lies; of classes that overlap the first."""
        return self.mask_paths(id)[0]

    def mask_paths(self, id: str) -> tuple[Path, ...]:
        """Where the masks of a case lie: one file, or one for each class that may overlap."""
        return mask_paths(self.folder, self.task, self.case(id))

    def outputs(self, id: str) -> dict[str, Any]:
        """Return what the ledger notes of files that were made of a finished case, if any."""
        return self._ledger.files(self.case(id))

    @property
    def ledger(self) -> Ledger:
        """The ledger of the folder, where files made of finished cases are noted."""
        return self._ledger

    def finished(self, id: str) -> bool:
        """Whether the case is done and both files still have the digests of the ledger."""
        row = self._ledger.row(self.case(id))
        if row is None or row.get("decision") != decision_digest(self.decision):
            return False
        return self._ledger.has(row, "probability", self.prob_path(id)) and self._ledger.has(
            row, "mask", *self.mask_paths(id)
        )

    def add(self, id: str, prob: NDArray[np.float32]) -> None:
        """Store the answer (K, *S) of a case with its mask, then note it as finished.

        Raises:
            ResourceError: the disk is full; nothing is noted.
            DataError: the answer holds NaN or infinity; nothing is stored.
        """
        case = self.case(id)
        if prob.shape[1:] != case.shape:
            raise ValueError(f"{id}: an answer {prob.shape} for a case {case.shape}")
        check_answer(prob, case.source)
        if case.chunked:
            place = self.place(id)
            kind, about = place.dtype, {**place.about, "plan": place.plan}
            from lamina.prediction.streaming.zarr_store import Store

            store = Store.begin(place.store, case.axes, prob.shape, kind, about=about)
            for region in store.slabs():
                store.write(region, prob[(slice(None), *region.slices)].astype(kind))
            self.finish(id)
            return

        def write(path: Path) -> None:
            stored = np.lib.format.open_memmap(path, mode="w+", dtype=self._kind, shape=prob.shape)
            put_rounded(prob, stored)
            stored.flush()

        self._note(case, write_with(self.prob_path(id), write))

    def place(self, id: str) -> Place:
        """Return where the answer of a case in chunks is streamed to; ``finish`` notes it."""
        case = self.case(id)
        return place_in(self.folder, self.info, case, self.prob_path(id), self._kind)

    def finish(self, id: str) -> None:
        """Write the mask of a case whose answer is stored in chunks, and note it as finished.

        Raises:
            ResourceError: the disk is full; nothing is noted.
        """
        self.note_stored(id)
        self.drop_work(id)

    def note_stored(self, id: str) -> None:
        """Do as ``finish`` does, and leave what led to the answer."""
        self._note(self.case(id), digest_of_store(self.place(id)))

    def written(self, id: str) -> int:
        """Return the bytes on disk of a case that is being predicted in chunks."""
        return written_bytes(self.place(id))

    def drop_work(self, id: str) -> None:
        """Remove what a case needed until it was finished."""
        drop_work(self.folder, id)

    def redecide(self, id: str) -> bool:
        """Write the mask anew if the decision changed since; return whether the case is finished.

        Only the mask is made again: the probabilities must still have their digest.
        """
        case = self.case(id)
        row = self._ledger.row(case)
        if row is None or not self._ledger.has(row, "probability", self.prob_path(id)):
            return False
        if not self.finished(id):
            self._note(case, row["probability"])
        return True

    def only_finished(self) -> Predictions:
        """Return the predictions without the cases that failed; the header says so too."""
        cases = tuple(case for case in self.info.cases if self._ledger.row(case) is not None)
        if len(cases) == len(self.info.cases):
            return self
        info = self.info.model_copy(update={"cases": cases})
        write_info(self.folder, info)
        return replace(self, info=info)

    def with_decision(self, decision: AnyDecision) -> Predictions:
        """Return the predictions with another decision; mask files follow with ``redecide``."""
        return replace(self, info=self.info.model_copy(update={"decision": decision}))

    def with_calibration(self, curves: Sequence[Calibration]) -> Predictions:
        """Return the predictions read through these curves; nothing is written."""
        return replace(self, calibration=tuple(curves))

    def _calibrated(self, prob: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities as members of a calibrated bundle would have stored them."""
        if all(curve.is_identity for curve in self.calibration):
            return prob
        return calibrated(prob, self.calibration, exclusive=self.task.exclusive).astype(np.float16)

    def _note(self, case: PredictedCase, probability: str) -> None:
        row = {"id": case.id, "source": case.sha256, "members": list(case.members)}
        row["probability"] = probability
        self._ledger.begin(row)
        row["mask"] = self._write_mask(case)
        row["decision"] = decision_digest(self.decision)
        self._ledger.note(row)

    def _write_mask(self, case: PredictedCase) -> str:
        def parts() -> Iterator[NDArray[Any]]:
            return (self._as_stored(case, one) for *_, one in self.decided(case.id))

        task, kind = self.task, self._writes.kind_of_file
        streams = case.chunked and (task.kind == "restore" or self.decision.streams)
        return write_case_masks(self.folder, task, case, parts, streams=streams, values=kind)

    @property
    def _writes(self) -> AsIs:
        """How restored values are written."""
        return self.decision if isinstance(self.decision, AsIs) else AsIs()

    def _as_stored(self, case: PredictedCase, answer: NDArray[Any]) -> NDArray[Any]:
        if self.task.kind != "restore":
            return answer
        return self._writes.stored(answer, offset=case.offset, span=case.span)

    @property
    def _kind(self) -> type[np.floating[Any]]:
        return np.float32 if self.task.kind == "restore" else np.float16

    def _store(self, case: PredictedCase) -> Store:
        from lamina.prediction.streaming.zarr_store import Store

        self._ledger.check(case, "probability", self.prob_path(case.id))
        store = Store.open(self.prob_path(case.id))
        self._check_shape(case, store.shape)
        return store

    def _check_shape(self, case: PredictedCase, shape: tuple[int, ...]) -> None:
        if shape[1:] != case.shape:
            raise DataError(
                f"{self.prob_path(case.id)}: has shape {shape}, the case {case.shape}; "
                f"{self._ledger.remedy}"
            )
