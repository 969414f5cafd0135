"""How long a run may train: its minutes are shared by folds and stages, and kept across kills.

    |<- used before ->|<------ a stage ------>|<- reserve ->|
    |                 |begun             now  |             |ends
    |                 |<-- share of time ---->|             |

The reserve is what the last validation of the stage, and the held-out predictions of the fold after
its last stage, will take by the validations so far.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lamina import files
from lamina.errors import DataError
from lamina.folders import DEADLINE
from lamina.geometry.view import members
from lamina.recipe.recipe import Recipe
from lamina.training.saving.state import Position

CLOCK = "clock.json"
"""What a run folder keeps of the seconds used so far."""

_EVERY = 10.0  # seconds between notes of the time used


def seconds_used(out: Path) -> float:
    """Return the seconds that all trainings into a run folder took so far.

    Runs of a lamina that kept no clock are counted by their epochs.
    """
    try:
        return float(files.read_json(out / CLOCK)["seconds"])
    except (DataError, KeyError, TypeError, ValueError):
        rows = [row for log in out.glob("*/metrics.jsonl") for row in files.read_lines(log)]
        return sum(float(row.get("seconds", 0.0)) for row in rows)


class Clock:
    """The time that a run has used, that of earlier processes included."""

    def __init__(
        self,
        out: Path | None,
        *,
        minutes: float | None,
        begun: float | None = None,
        used: float = 0.0,
    ) -> None:
        """Go on with the time that the run folder ``out`` has noted.

        Args:
            out: The run folder; None: another process notes the time.
            minutes: The limit of the whole run; None: there is none.
            begun: ``time.monotonic()`` when this process began; None: now.
            used: Seconds used so far, where ``out`` is None.
        """
        self._out, self._before = out, used if out is None else seconds_used(out)
        self._begun = time.monotonic() if begun is None else begun
        self._noted = -_EVERY
        self.limit = None if minutes is None else 60 * minutes

    @property
    def used(self) -> float:
        """Seconds used so far."""
        return self._before + time.monotonic() - self._begun

    def note(self, *, every: float = 0.0) -> None:
        """Write down the time used, unless it was written less than ``every`` seconds ago."""
        now = time.monotonic()
        if self._out is not None and now - self._noted >= every:
            files.write_json(self._out / CLOCK, {"seconds": round(self.used, 3)})
            self._noted = now

    def left(self, folds: int) -> float:
        """Return the seconds for each of ``folds`` folds that are still to be trained."""
        return max((self.limit or 0.0) - self.used, 0.0) / max(folds, 1)

    def said(self, folds: int) -> str:
        """Return the limit in words."""
        left = max((self.limit or 0.0) - self.used, 0.0) / 60
        share = f", shared by {folds} folds" if folds > 1 else ""
        return f"--max-minutes {(self.limit or 0.0) / 60:g}: {left:.1f} minutes are left{share}"


@dataclass
class StageTime:
    """The time of one stage; ``position`` keeps it across interruptions."""

    clock: Clock
    position: Position

    def share(self) -> float:
        """Return the share of the stage's time that is used, from 0 to 1; 0 where it has none."""
        span = self.position.ends - self.position.reserve - self.position.begun
        used = self.clock.used - self.position.begun
        return min(max(used / span, 0.0), 1.0) if span > 0 else 0.0

    def over(self) -> bool:
        """Whether no more step may be taken; notes the time used now and then."""
        self.clock.note(every=_EVERY)
        return self.clock.used >= self.position.ends - self.position.reserve

    def validated(self, seconds: float, times: int) -> None:
        """Keep free what ``times`` more validations of ``seconds`` would take."""
        self.position.reserve = max(self.position.reserve, seconds * times)


def stage_time(
    clock: Clock | None, recipe: Recipe, position: Position, folds: int
) -> StageTime | None:
    """Return the time of the stage that ``position`` stands in; None: it is not limited.

    What is left of the limit is shared evenly by the folds, and what is left of a fold by its
    stages, by their epochs. It is settled when a stage begins, and again under another limit.

    Args:
        clock: The run's.
        recipe: Its stages.
        position: Where the fold stands; when the stage begins and ends is put into it.
        folds: Folds that are still to be trained, this one included.
    """
    if clock is None or clock.limit is None:
        return None
    if position.limit != clock.limit:
        epochs: Sequence[int] = [stage.epochs for stage in recipe.stages[position.stage :]]
        used = clock.used
        position.limit, position.begun = clock.limit, used
        position.ends = used + clock.left(folds) * epochs[0] / sum(epochs)
    return StageTime(clock, position)


def note_deadline(folder: Path, time_limit: StageTime | None, recipe: Recipe, folds: int) -> None:
    """Write down when a fold must be over, for who looks on; remove the note where it need not.

    The note holds ``at``, the seconds of Unix time, as if later stages began when they can at the
    latest.

    Args:
        folder: Of the fold.
        time_limit: Of the stage that begins; None: it is not limited.
        recipe: Its stages.
        folds: Folds that are still to be trained, this one included.
    """
    if time_limit is None:
        (folder / DEADLINE).unlink(missing_ok=True)
        return
    clock, position = time_limit.clock, time_limit.position
    end, later = position.ends, [stage.epochs for stage in recipe.stages[position.stage + 1 :]]
    for n, epochs in enumerate(later):
        end += max((clock.limit or 0.0) - end, 0.0) / folds * epochs / sum(later[n:])
    files.write_json(folder / DEADLINE, {"at": round(time.time() + end - clock.used, 3)})


def validations_after(recipe: Recipe, stage: int) -> int:
    """Return how many validations' time a stage still needs once its steps are over.

    Its own last one; and after the last stage the held-out predictions, with all their views.
    """
    last = stage == len(recipe.stages) - 1
    return 1 + (len(members(recipe.predict.views, recipe.frame.axes)) if last else 0)
