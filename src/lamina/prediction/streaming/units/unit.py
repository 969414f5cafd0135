"""A case answered unit by unit: what is missing apart from doing it.

A unit is the smallest part of a streamed answer that is noted as done: a slab of slices, or a band
of rows. Units of one phase do not depend on each other; those of a later phase read what the
earlier ones wrote. Each may be done twice, anywhere, and writes the same bytes.

    phase 0: slabs along z     phase 1: slabs along y     phase 2: slabs along x, into the store
    ┌──┬──┬──┬──┐              ┌──┬──┬──┬──┐              ┌──┬──┬──┬──┐
    └──┴──┴──┴──┘  barrier ─▶  └──┴──┴──┴──┘  barrier ─▶  └──┴──┴──┴──┘
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

from lamina.files import fault
from lamina.prediction.streaming.units.ledger import Ledger
from lamina.prediction.streaming.units.write_behind import WriteBehind
from lamina.prediction.tiling.tiled_inference import TiledInference


@dataclass(frozen=True)
class Unit:
    """A part of a case that is done at once."""

    phase: int
    start: int
    """The first slice or row."""
    steps: int
    """What it counts in a progress bar."""
    across: tuple[int, ...] = ()
    """Where its column begins along the axes after the first; none: whole planes or rows."""


class Units(Protocol):
    """The units of one case, and how each of them is done.

    Only ``begin`` creates the store; ``answered`` may be called in another process, of an equal
    object.
    """

    @property
    def phases(self) -> Sequence[Sequence[Unit]]:
        """The units of each phase, in order."""
        ...

    def begin(self) -> None:
        """Make the store, or go on with one that was begun with the same values."""
        ...

    def is_written(self, unit: Unit, noted: str, following: Sequence[Unit]) -> bool:
        """Whether what a unit wrote, read anew, still is what was noted of it.

        Args:
            unit: Of ``phases``.
            noted: What its writing returned.
            following: The units of the next phase that are missing; nobody else reads it.
        """
        ...

    def answered(
        self,
        job: TiledInference,
        unit: Unit,
        tick: Callable[[int], object],
        after: Unit | None = None,
    ) -> Callable[[], str]:
        """Answer a unit; return what writes the answer and returns what is noted of it.

        With that ``is_written`` agrees then.

        Where the job is ``overlapped`` another thread may write while the next unit is answered,
        but not the one after that: the memory of its answer is then taken anew.

        Args:
            job: Who answers.
            unit: Of ``phases``.
            tick: Told the steps as they go.
            after: The unit that will be answered next, where it is known: it is read meanwhile.
        """
        ...

    def release(self, unit: Unit, missing: Sequence[Unit]) -> None:
        """Remove what only a unit that is noted needed; only where nobody else may do it again.

        Args:
            unit: Of ``phases``.
            missing: The units of its phase that are not noted.
        """
        ...

    def drop(self, phase: int) -> None:
        """Remove what only the next phase needed of a phase."""
        ...


class Remaining:
    """The units of a case that are missing, and what of earlier phases they need."""

    def __init__(self, units: Units, ledger: Ledger) -> None:
        """Compare what is noted with what is there, from the last phase back."""
        self._units, self._ledger = units, ledger
        self.missing: list[list[Unit]] = [[] for _ in units.phases]
        following: Sequence[Unit] = ()
        for phase in reversed(range(len(units.phases))):
            each = units.phases[phase]
            self.missing[phase] = [unit for unit in each if not self._done(unit, following)]
            following = self.missing[phase]
            if not following:
                break

    def _done(self, unit: Unit, following: Sequence[Unit]) -> bool:
        noted = self._ledger.digest(unit.phase, unit.start, unit.across)
        return noted is not None and self._units.is_written(unit, noted, following)

    @property
    def steps_done(self) -> int:
        """Steps of the units that need not be done."""
        every = sum(unit.steps for phase in self._units.phases for unit in phase)
        return every - sum(unit.steps for phase in self.missing for unit in phase)

    def note(self, unit: Unit, sha256: str) -> None:
        """Note a unit as done; the last of a phase lets the files of the phase before go."""
        fault("slab.before_ledger")
        self._ledger.note(unit.phase, unit.start, sha256, unit.across)
        fault("slab.after_ledger")
        missing = self.missing[unit.phase]
        missing.remove(unit)
        if not missing and unit.phase:
            self._units.drop(unit.phase - 1)
            fault("slab.after_removal")


def finish(
    units: Units, ledger: Ledger, job: TiledInference, tick: Callable[[int], object]
) -> None:
    """Do what is missing, in order; the store is complete afterwards."""
    units.begin()
    remaining = Remaining(units, ledger)

    def note(unit: Unit, sha256: str) -> None:
        remaining.note(unit, sha256)
        units.release(unit, remaining.missing[unit.phase])
        fault("slab.after_release")

    tick(remaining.steps_done)
    for phase in remaining.missing:
        with WriteBehind(job.overlapped) as behind:
            following = dict(pairwise(phase))
            for unit in list(phase):
                write = units.answered(job, unit, tick, following.get(unit))
                behind.put(write, partial(note, unit))
