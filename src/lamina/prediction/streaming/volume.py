"""A volume predicted axis by axis and slab by slab into a store; killed, it goes on.

The answers of the first axis are kept as files of float32. A slab of the next axis adds what it
finds there to its own answers and writes new files; the last axis writes the store. Nothing is
ever added to in place: a slab that is done twice gives the same bytes, so that no moment to be
killed at can count an axis twice. The sums are those of ``predict_case``, in float32 and in the
same order.

    WORK/slabs.jsonl           the plan, then one line for each finished slab with its checksums
    WORK/0/000064.03.float32   of the slab of the first axis that begins at slice 64, for the fourth
                               part of the slabs of the next axis: for every slab in order, the box
                               that both share, (K, *box)

Only a slab whose files still have their checksums is taken for done, where they are needed. One
process alone removes files as soon as the slabs that they are for are done, so that the disk and
the cache hold the sums of one axis; several remove those of an axis when the next axis is complete.
Should they be needed again, they are made again.

Letters: K outputs, t slices of a slab, h and w rows and columns of a slice, S the volume's shape.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lamina.data.network_input.frame import Slices
from lamina.errors import DataError
from lamina.files import replacing
from lamina.geometry.region import Region
from lamina.prediction.check_answer import check_answer
from lamina.prediction.folder.digests import agrees
from lamina.prediction.streaming.place import Place
from lamina.prediction.streaming.slabs import Answers, Slab, as_stored, cut, depth
from lamina.prediction.streaming.units.checksum import Checksum, checksum
from lamina.prediction.streaming.units.unit import Unit
from lamina.prediction.tiling.averaging import Kind, activate
from lamina.prediction.tiling.tiled_inference import TiledInference
from lamina.volume import Volume

if TYPE_CHECKING:
    from lamina.prediction.streaming.zarr_store import Part, Store


PARTS = 64
"""Most files of sums of a slab."""

CRC32C = "crc32c:"
"""Before the checksums of files of sums, where digests stand otherwise."""


class VolumeSlabs:
    """The slabs of all axes of a volume: a phase for each axis, a unit for each slab."""

    def __init__(
        self,
        volume: Volume,
        slices: Slices,
        outputs: int,
        place: Place,
        thick: Sequence[int],
    ) -> None:
        """Cut the axes.

        Args:
            volume: Three axes.
            slices: Which of them are cut across.
            outputs: K of the answer.
            place: Where it goes.
            thick: Slices of a slab along each of these axes, as ``thickness`` returns them.
        """
        self._volume, self._slices, self._outputs = volume, slices, outputs
        self._whole = Region.whole(volume.shape)
        self._cuts = [cut(volume, a, t) for a, t in zip(slices.axes, thick, strict=True)]
        self._parts = [_grouped(slabs) for slabs in self._cuts]
        self._part_of = [
            {slab.start: at for at, part in enumerate(parts) for slab in part}
            for parts in self._parts
        ]
        self._share = np.float32(1 / len(self._cuts))
        self._place = place
        self._held: dict[tuple[int, ...], NDArray[np.float32]] = {}
        self._answers = Answers(volume, slices.context)
        self.phases = [
            [Unit(number, slab.start, slab.stop - slab.start) for slab in slabs]
            for number, slabs in enumerate(self._cuts)
        ]

    def begin(self) -> None:
        """Make the store, or go on with one of the same plan."""
        from lamina.prediction.streaming.zarr_store import Store

        axis = self._slices.axes[-1]
        Store.begin(
            self._place.store,
            self._volume.axes,
            (self._outputs, *self._volume.shape),
            self._place.dtype,
            slab={self._volume.axes.index(axis): depth(self._volume, axis, self._outputs)},
            about={**self._place.about, "plan": self._place.plan},
        )

    def is_written(self, unit: Unit, noted: str, following: Sequence[Unit]) -> bool:
        """Whether files of sums that are needed, or the chunks that hold a slab, are as noted."""
        slab = self._slab(unit)
        if unit.phase == len(self._cuts) - 1:
            return agrees(noted, self._store.digest(slab.within(self._whole)))
        sums = noted.removeprefix(CRC32C).split(",")
        if len(sums) != len(self._parts[unit.phase + 1]):
            return False  # by another version
        for part in sorted({self._part_of[after.phase][after.start] for after in following}):
            path = self._path(unit.phase, slab, part)
            if not path.is_file() or checksum(path) != sums[part]:
                return False
        return True

    def answered(
        self,
        job: TiledInference,
        unit: Unit,
        tick: Callable[[int], object],
        after: Unit | None = None,
    ) -> Callable[[], str]:
        """Answer a slab, and add what the phases before have written of it."""
        slab, number = self._slab(unit), unit.phase
        following = self._slab(after) if after is not None and job.overlapped else None
        answers = self._answers.of(job, slab, lambda: tick(1), following)
        if job.overlapped:
            self._answers.keep()
        return partial(self._write, job, number, slab, answers)

    def release(self, unit: Unit, missing: Sequence[Unit]) -> None:
        """Remove the sums that only a slab needed, or the last of those that share files."""
        part = self._part_of[unit.phase][unit.start]
        if any(self._part_of[other.phase][other.start] == part for other in missing):
            return
        for before in self._cuts[unit.phase - 1] if unit.phase else ():
            self._path(unit.phase - 1, before, part).unlink(missing_ok=True)

    def drop(self, phase: int) -> None:
        """Remove the sums of an axis."""
        shutil.rmtree(self._place.work / str(phase), ignore_errors=True)

    def _write(
        self, job: TiledInference, number: int, slab: Slab, answers: NDArray[np.float32]
    ) -> str:
        """Write the sum over the axes so far, times 1 / axes; return what is noted of it."""
        total, region = as_stored(answers, slab), slab.within(self._whole)
        last = number == len(self._cuts) - 1
        logits = last and job.logits
        if last and not logits:
            check_answer(answers, self._volume.name)  # before the first chunk is written
        if logits or (number and not last):
            self._sum_in_place(number, slab, total)
            for answer in answers if logits else ():
                activate_in_place(job.kind, answer)
            check_answer(answers, self._volume.name)
            part = partial(_cut_out, total, slab)
        else:
            part = partial(self._sum, number, slab, total)
        return self._store.put(region, part) if last else self._keep(number, slab, part)

    @cached_property
    def _store(self) -> Store:
        from lamina.prediction.streaming.zarr_store import Store

        return Store.join(self._place.store)

    def _slab(self, unit: Unit) -> Slab:
        return self._cuts[unit.phase][self.phases[unit.phase].index(unit)]

    def _sum(
        self, number: int, slab: Slab, total: NDArray[np.float32], box: Region
    ) -> NDArray[np.float32]:
        """Return the sum of a box of a slab (K, *box), made as it is written, within the cache.

        Raises:
            DataError: it holds NaN or infinity.
        """
        values = _scaled(_cut_out(total, slab, box), self._share)
        if number:
            values += self._earlier(number, slab, box)
        check_answer(values, self._volume.name)
        return values

    def _sum_in_place(self, number: int, slab: Slab, total: NDArray[np.float32]) -> None:
        """Turn the answers of a slab into its sums, a plane at a time, within the cache."""
        if not number:
            total *= self._share
        for before in self._cuts[number - 1] if number else ():
            box = slab.within(before.within(self._whole))
            sums = self._rows(number, slab, before, range(box.start[0], box.stop[0]))
            part = _cut_out(total, slab, box)
            for row in range(part.shape[1]):
                part[:, row] *= self._share
                part[:, row] += sums[:, row]

    def _earlier(self, number: int, slab: Slab, box: Region) -> NDArray[np.float32]:
        """Return the sums over the axes before in a box of a slab, (K, *box)."""
        out: NDArray[np.float32] | None = None
        held: dict[tuple[int, ...], NDArray[np.float32]] = {}
        for before in self._cuts[number - 1]:
            if before.stop <= box.start[before.at] or before.start >= box.stop[before.at]:
                continue
            own, shared = slab.within(before.within(self._whole)), before.within(box)
            key = (number, slab.start, before.start, shared.start[0], shared.stop[0])
            if key not in self._held:  # boxes side by side share rows
                rows = range(shared.start[0], shared.stop[0])
                self._held[key] = self._rows(number, slab, before, rows)
            held[key] = self._held[key]
            at = shared.shift((-shared.start[0], *(-a for a in own.start[1:]))).slices
            piece = held[key][(slice(None), *at)]
            if shared == box:
                out = piece
            else:
                out = np.empty((self._outputs, *box.shape), np.float32) if out is None else out
                out[(slice(None), *shared.shift(tuple(-a for a in box.start)).slices)] = piece
        self._held = held
        assert out is not None
        return out

    def _rows(self, number: int, slab: Slab, before: Slab, rows: range) -> NDArray[np.float32]:
        """Return rows along the first stored axis of what a slab and one before share, (K, *).

        Raises:
            DataError: the file is gone, or ends too early.
        """
        box = slab.within(before.within(self._whole))
        part, size = self._part_of[number][slab.start], prod(box.shape)
        first = self._parts[number][part][0].start
        begin = self._outputs * size // (slab.stop - slab.start) * (slab.start - first)
        begin += size // box.shape[0] * (rows.start - box.start[0])
        out = np.empty((self._outputs, len(rows), *box.shape[1:]), np.float32)
        path = self._path(number - 1, before, part)
        try:
            with path.open("rb", buffering=0) as stream:
                for output, values in enumerate(out):
                    stream.seek(4 * (begin + output * size))
                    if stream.readinto(values.data.cast("B")) != values.nbytes:
                        raise DataError(f"{path}: was cut off meanwhile; run it again")
        except FileNotFoundError as error:
            raise DataError(f"{path}: was removed meanwhile; run it again") from error
        return out

    def _keep(self, number: int, slab: Slab, part: Part) -> str:
        """Write a sum for the slabs of the next axis; return the checksums of the files.

        Raises:
            DataError: the work is gone, as where others finished it while this process slept.
        """
        if not self._place.work.is_dir():
            raise DataError(f"{self._place.work}: was finished or removed meanwhile; run it again")
        sums, region = list[str](), slab.within(self._whole)
        for at, following in enumerate(self._parts[number + 1]):
            written = Checksum()
            with replacing(self._path(number, slab, at), flush=False) as stream:
                for after in following:
                    values = np.ascontiguousarray(part(after.within(region)))
                    written.update(values)
                    stream.write(values.data)
            sums.append(written.digits)
        return CRC32C + ",".join(sums)

    def _path(self, number: int, slab: Slab, part: int) -> Path:
        return self._place.work / str(number) / f"{slab.start:06d}.{part:02d}.float32"


def _grouped(slabs: Sequence[Slab]) -> list[list[Slab]]:
    """Return slabs in order, in so many parts that there are not too many files."""
    count = min(len(slabs), PARTS)
    parts: list[list[Slab]] = [[] for _ in range(count)]
    for number, slab in enumerate(slabs):
        parts[number * count // len(slabs)].append(slab)
    return parts


def activate_in_place(kind: Kind, logits: NDArray[np.float32]) -> None:
    """Turn the mean of logits (K, h, w) of a slice into probabilities."""
    logits[...] = activate(kind, torch.from_numpy(logits)[None])[0].numpy()


def _cut_out(total: NDArray[np.float32], slab: Slab, box: Region) -> NDArray[np.float32]:
    """Return a view of a box of the volume in an array (K, *slab)."""
    offset = [0] * len(box.start)
    offset[slab.at] = -slab.start
    view: NDArray[np.float32] = total[(slice(None), *box.shift(offset).slices)]
    return view


def _scaled(view: NDArray[np.float32], share: np.float32) -> NDArray[np.float32]:
    """Return (K, *box) times ``share`` in C order; quick where slices lie along the last axis."""
    if view.strides[-1] <= max(view.strides[1:-1]):
        return np.multiply(view, share, order="C")
    lines = np.multiply(np.moveaxis(view, -1, 0), share, order="C")
    scaled: NDArray[Any] = np.asarray(cv2.transpose(lines.reshape(len(lines), -1)), np.float32)
    return scaled.reshape(view.shape)
