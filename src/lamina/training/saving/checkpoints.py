"""The weights a stage keeps, and the best of all stages so far."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor

from lamina.model.metrics.base import Metric
from lamina.training.saving.state import KeptCheckpoint, Position
from lamina.training.saving.tensor_file import save_tensors

LAST = "last"
"""The file of the weights that a stage ended with, without its suffix."""


class Checkpoints:
    """Weight files of one stage; which of them count stands in the position alone.

    A file that an earlier run or stage left is never taken for one of this stage, whatever its
    name (unlike SIIM-20).

    A file that is pushed out is deleted only after the state that no longer names it is on the
    disk, so that a crash in between finds every file its state names.
    """

    def __init__(
        self, folder: Path, keep: int, metric: Metric, *, top_of: Literal["stage", "all"] = "stage"
    ) -> None:
        self._folder, self._keep, self._stage = folder, keep, folder.name
        self._every_stage = top_of == "all"
        self._sign = 1.0 if metric.higher_is_better else -1.0

    def offer(self, position: Position, score: float, weights: Mapping[str, Tensor]) -> bool:
        """Keep ``weights`` if their score is among the best; return whether it is a new best.

        Only a strictly better score replaces an older one, also one carried in (SIIM-19). One that
        was carried in stays beside the best of this stage, unless ``top_of`` lets both compete.
        """
        better = [one for one in position.kept if _rank(one, self._sign) >= score * self._sign]
        best = not better
        position.stale = 0 if best else position.stale + 1
        if len(self.top(better)) < self._keep:
            kept = self.write(f"epoch-{position.epoch:04d}", score, position.epoch, weights)
            position.kept.insert(len(better), kept)
            for evicted in self.top(position.kept)[self._keep :]:
                position.kept.remove(evicted)
        return best

    def top(self, kept: Sequence[KeptCheckpoint]) -> list[KeptCheckpoint]:
        """Return those that compete for a place among the best: of this stage, or of all."""
        return [one for one in kept if self._every_stage or one.stage == self._stage]

    def last(self, position: Position, weights: Mapping[str, Tensor]) -> KeptCheckpoint:
        """Write the weights the stage ended with; their score is that of the last validation."""
        score = position.history[-1] if position.history else None
        return self.write(LAST, score, max(position.epoch - 1, 0), weights)

    def drop_evicted(
        self,
        position: Position,
        saved: Collection[tuple[str, str]] = frozenset(),
        *,
        last: bool = False,
    ) -> None:
        """Delete the files of this stage that neither the position nor the newest save names.

        Args:
            position: Where training stands.
            saved: ``Position.named`` of the newest save.
            last: Whether the file of ``last`` stays, which no position need name.
        """
        named = {*position.named, *saved}
        if last:
            named.add((self._stage, f"{LAST}.safetensors"))
        for path in self._folder.glob("*.safetensors"):
            if (self._stage, path.name) not in named:
                path.unlink()

    def write(
        self, name: str, score: float | None, epoch: int, weights: Mapping[str, Tensor]
    ) -> KeptCheckpoint:
        """Write ``weights`` as the file ``name`` of the stage."""
        path = self._folder / f"{name}.safetensors"
        sha256 = save_tensors(path, weights)
        return KeptCheckpoint(score, epoch, path.name, sha256, self._stage)


def best_of(position: Position, metric: Metric) -> KeptCheckpoint:
    """Return the best that any finished stage left; of equal ones the earlier (SIIM-18).

    Where nothing is held out there are no scores, and the last stage counts as the best.
    """
    sign = 1.0 if metric.higher_is_better else -1.0
    firsts = [left[0] for left in position.members.values()]
    if all(first.score is None for first in firsts):
        return firsts[-1]
    return max(firsts, key=lambda one: _rank(one, sign))  # max keeps the first of equals


def _rank(kept: KeptCheckpoint, sign: float) -> float:
    """Return what is compared: more is better; what was never scored is the worst."""
    return -math.inf if kept.score is None else sign * kept.score
