"""A volume predicted axis by axis and slab by slab into a store; killed, it goes on.

The answers of the first axis are kept as files of float32, one for each slab. A slab of the next
axis adds what it finds there to its own answers and writes new files; the last axis writes the
store. Nothing is ever added to in place: a slab that is done twice gives the same bytes, so that
no moment to be killed at can count an axis twice. The sums are those of ``predict_case``, in
float32 and in the same order.

    WORK/slabs.jsonl        the plan, then one line for each finished slab with its digest
    WORK/0/000064.float32   the slab of the first axis that begins at slice 64: for every slab of
                            the next axis in order, the box that both share, (K, *box)

Only a slab whose file still has its digest is taken for done. Files of an axis go when the next
axis is complete; should they be needed again, they are made again.

Letters: K outputs, t slices of a slab, h and w rows and columns of a slice, S the volume's shape.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.data.network_input.frame import Slices
from lamina.files import digest, fault, replacing
from lamina.geometry.region import Region
from lamina.prediction.check_answer import check_answer
from lamina.prediction.streaming.ledger import Ledger
from lamina.prediction.streaming.place import Place
from lamina.prediction.streaming.slabs import Answers, Slab, as_stored, cut, thickness
from lamina.prediction.streaming.zarr_store import Store
from lamina.prediction.tiling.averaging import Kind, activate
from lamina.prediction.tiling.tiled_inference import TiledInference
from lamina.volume import Volume


class Walk:
    """The way through all slabs of all axes."""

    def __init__(
        self,
        job: TiledInference,
        volume: Volume,
        slices: Slices,
        outputs: int,
        place: Place,
        tick: Callable[[int], object],
    ) -> None:
        """Begin, or find what an earlier run left; ``tick`` is told how many slices are done."""
        self._job, self._volume, self._outputs, self._tick = job, volume, outputs, tick
        self._whole = Region.whole(volume.shape)
        thick = [thickness(volume, axis, outputs) for axis in slices.axes]
        self._cuts = [cut(volume, a, t) for a, t in zip(slices.axes, thick, strict=True)]
        self._share = np.float32(1 / len(thick))
        self._work = place.work
        self._ledger = Ledger(place.work, f"{place.plan} {thick}")
        self._store = Store.begin(
            place.store,
            volume.axes,
            (outputs, *volume.shape),
            place.dtype,
            slab={volume.axes.index(slices.axes[-1]): thick[-1]},
            about={**place.about, "plan": place.plan},
        )
        self._answers = Answers(job, volume, slices.context, lambda: tick(1))

    def finish(self) -> None:
        """Do what is missing; the store is complete afterwards."""
        self._ensure(len(self._cuts) - 1)

    def _ensure(self, number: int) -> None:
        """Complete the axis of that number, and before it what it needs of earlier ones."""
        slabs = self._cuts[number]
        missing = [slab for slab in slabs if not self._done(number, slab)]
        if not missing:
            self._tick(
                sum(slab.stop - slab.start for axis in self._cuts[: number + 1] for slab in axis)
            )
            return
        if number:
            self._ensure(number - 1)
        self._tick(sum(slab.stop - slab.start for slab in slabs if slab not in missing))
        for slab in missing:
            total = self._sum(number, slab)
            check_answer(total, self._volume.name)
            last = number == len(self._cuts) - 1
            if last:
                sha256 = self._store.put(slab.within(self._whole), total)
            else:
                sha256 = self._keep(number, slab, total)
            fault("slab.before_ledger")
            self._ledger.note(number, slab.start, sha256)
            fault("slab.after_ledger")
        if number:
            shutil.rmtree(self._work / str(number - 1), ignore_errors=True)
            fault("slab.after_removal")

    def _done(self, number: int, slab: Slab) -> bool:
        sha256 = self._ledger.digest(number, slab.start)
        if sha256 is None:
            return False
        if number < len(self._cuts) - 1:
            path = self._path(number, slab)
            return path.is_file() and digest(path) == sha256
        return self._store.digest(slab.within(self._whole)) == sha256

    def _sum(self, number: int, slab: Slab) -> NDArray[np.float32]:
        """Return the sum over the axes so far, times 1 / axes: a view (K, *slab)."""
        answers = self._answers.of(slab)
        answers *= self._share
        total = as_stored(answers, slab)
        for before in self._cuts[number - 1] if number else ():
            box = slab.within(before.within(self._whole))
            shape = (self._outputs, *box.shape)
            ahead = prod(shape) // (slab.stop - slab.start) * slab.start
            earlier = np.fromfile(
                self._path(number - 1, before), np.float32, prod(shape), offset=4 * ahead
            )
            total[_inside(slab, box)] += earlier.reshape(shape)
        if self._job.logits and number == len(self._cuts) - 1:
            for answer in answers:
                activate_in_place(self._job.kind, answer)
        return total

    def _keep(self, number: int, slab: Slab, total: NDArray[np.float32]) -> str:
        """Write a sum for the slabs of the next axis; return the file's digest."""
        sha256, region = hashlib.sha256(), slab.within(self._whole)
        with replacing(self._path(number, slab), flush=False) as stream:
            for after in self._cuts[number + 1]:
                values = np.ascontiguousarray(total[_inside(slab, after.within(region))])
                sha256.update(values.data)
                stream.write(values.data)
        return sha256.hexdigest()

    def _path(self, number: int, slab: Slab) -> Path:
        return self._work / str(number) / f"{slab.start:06d}.float32"


def activate_in_place(kind: Kind, logits: NDArray[np.float32]) -> None:
    """Turn the mean of logits (K, h, w) of a slice into probabilities."""
    logits[...] = activate(kind, torch.from_numpy(logits)[None])[0].numpy()


def _inside(slab: Slab, box: Region) -> tuple[slice, ...]:
    """Return where a box of the volume lies in an array (K, *slab)."""
    offset = [0] * len(box.start)
    offset[slab.at] = -slab.start
    return (slice(None), *box.shift(offset).slices)
