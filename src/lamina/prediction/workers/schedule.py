"""Which task comes next, and what is noted of those that are done: the main process' part.

Images go out in groups. Of a volume the slabs of one axis are given out, and those of the next when
all are noted; until then other cases fill the gap. The mask of a case is its last task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

from lamina.data.case import Case
from lamina.data.flatten import align
from lamina.data.flatten.summary import CURVES
from lamina.errors import LaminaError
from lamina.prediction.cases.opened import OpenedCases
from lamina.prediction.cases.together import Together
from lamina.prediction.engine import plan_case, units_of
from lamina.prediction.folder.manifest import Arithmetic, PredictedCase, check_arithmetic
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.outputs.write import Outputs
from lamina.prediction.streaming.plan import check_room, work_bytes
from lamina.prediction.streaming.row_bands import bands
from lamina.prediction.streaming.units.ledger import Ledger
from lamina.prediction.streaming.units.of_case import in_a_row, thickness_of
from lamina.prediction.streaming.units.unit import Remaining, Units
from lamina.prediction.uncertainty.stored import StoredUncertainty
from lamina.prediction.workers.tasks import Failure, Outcome, Task
from lamina.progress import Bar, say
from lamina.volume import Volume

SECONDS = 2.0
"""Of work in a group of images."""

MOST = 64
"""Images of a group."""


class Schedule:
    """The tasks of a prediction, in order."""

    def __init__(
        self,
        outputs: Outputs,
        opened: OpenedCases,
        loaded: LoadedMembers,
        now: Arithmetic,
        *,
        memory: int | None,
        workers: int,
        lines: bool,
    ) -> None:
        """Begin.

        Args:
            outputs: Of the folder; its ledger is written here alone.
            opened: The cases, in the order of ``prediction.json``.
            loaded: The members; their networks are built only where this process predicts.
            now: With what probabilities are computed.
            memory: Bytes for slabs of volumes, or for bands of those seen in blocks; None: 256 MiB,
                or as many as bands need.
            workers: Processes that do tasks; 0: this one.
            lines: Whether plans of volumes are told.
        """
        self.outputs, self._opened, self.loaded, self._now = outputs, opened, loaded, now
        self._memory, self._workers, self._lines = memory, workers, lines
        self._plan = outputs.predictions.info.bytes_plan()
        self._together = Together.of(outputs.predictions.info)
        self._ids = list(opened.cases)
        self._steps = {
            id: _steps(predicted, case.image, loaded)
            for id, (predicted, case, _) in opened.cases.items()
        }
        self._bar = Bar("predicting", sum(self._steps.values()))
        self._left = self._to_predict()
        self._held: int | None = None  # a case that begins the next group
        self._in_work: dict[int, _CaseInWork] = {}
        self._each = float(SECONDS)  # seconds of an image
        self.counts = {"predicted": 0, "kept": 0, "redecided": 0}
        self._seconds: dict[str, float] = {}

    @property
    def bar(self) -> Bar:
        """The progress bar, a context manager."""
        return self._bar

    @property
    def worker_seconds(self) -> dict[str, float]:
        """Seconds that each worker has worked, by its host and process."""
        return {name: round(seconds, 1) for name, seconds in self._seconds.items()}

    def next(self) -> Task | None:
        """Return the next task; None: there is none until another is done, or none at all."""
        while True:
            for work in self._in_work.values():
                task = work.next()
                if task is not None:
                    return task
            if self._in_work and not self._workers:
                return None  # this process does one case after another
            number = self._taken()
            if number is None:
                return None
            if self._opened.cases[self._ids[number]][0].chunked and not self._uncertain:
                self._begin(number)
                continue
            return Task(self._plan, "cases", number, count=self._group(number))

    def done(self, task: Task, outcome: Outcome) -> None:
        """Note what was done; cases that failed go into quarantine.

        Raises:
            LaminaError: what stops all cases.
        """
        before = self._seconds.get(outcome.worker, 0.0)
        self._seconds[outcome.worker] = before + outcome.seconds
        self._bar.advance(outcome.steps)
        if task.part == "units":
            work = self._in_work.get(task.case)
            if work is None:  # it failed meanwhile
                return
            work.done(task, outcome)
        elif task.part == "cases":
            self._each = (self._each + outcome.seconds / task.count) / 2
        changed = self._changed(outcome)
        for number, rows in outcome.rows.items():
            if number not in changed:
                self.outputs.predictions.ledger.take(rows)
                if number not in outcome.failures:
                    self._finished(task, number)
        for number, failure in {**outcome.failures, **changed}.items():
            self._in_work.pop(number, None)
            with self._opened.quarantine.item(self.case(number).image.name):
                failure.raised()

    def _changed(self, outcome: Outcome) -> dict[int, Failure]:
        """Return the cases that were done and whose files changed on the way."""
        failures = {}
        for number in outcome.rows.keys() - outcome.failures.keys():
            source = self._opened.sources.get(self._ids[number])
            try:
                if source is not None:
                    source.check()
            except LaminaError as error:
                failures[number] = Failure.of(error)
        return failures

    def name_of(self, task: Task) -> str:
        """Return what a task is about, for messages."""
        name = self.case(task.case).image.name
        if task.part == "cases":
            return name
        if task.part == "finish":
            return f"{name}: the mask"
        work = self._in_work.get(task.case)
        if work is None:
            return name
        unit = work.units.phases[task.phase][task.first]
        axes = self.loaded.bundles[0].recipe.frame.slices
        along = f" along {axes.axes[task.phase]}" if axes and len(work.units.phases) > 1 else ""
        beside = f", column at {' x '.join(map(str, unit.across))}" if unit.across else ""
        return f"{name}: from {unit.start}{along}{beside}"

    @property
    def _uncertain(self) -> bool:
        return self.outputs.predictions.info.uncertainty

    def case(self, number: int) -> Case:
        """Return the case with that number in ``prediction.json``."""
        return self._opened.cases[self._ids[number]][1]

    def _finished(self, task: Task, number: int) -> None:
        self.counts["predicted"] += 1
        if task.part == "finish":
            self.outputs.predictions.drop_work(self._ids[number])
            self._in_work.pop(number, None)
        elif self._uncertain:
            self._bar.advance(self._steps[self._ids[number]])

    def _taken(self) -> int | None:
        number, self._held = self._held, None
        return next(self._left, None) if number is None else number

    def _group(self, number: int) -> int:
        """Return how many images from that number on are done together."""
        if self._uncertain or not (self._workers or self._together):
            return 1
        most = len(self._ids)  # what is answered together is the most for this process
        if self._workers:
            fair = (len(self._ids) - number) // (4 * self._workers)
            most = max(min(int(SECONDS / max(self._each, 1e-3)), MOST, fair), 1)
        count = 1
        while count < most:
            after = next(self._left, None)
            if after is None:
                break
            if after != number + count or not self._joins(number, after):
                self._held = after
                break
            count += 1
        return count

    def _joins(self, number: int, after: int) -> bool:
        """Whether an image may be in the group that begins with another."""
        if self._workers or self._together is None:
            return not self._opened.cases[self._ids[after]][0].chunked
        return self._together.joins(range(number, after), after)

    def _to_predict(self) -> Iterator[int]:
        """Yield the numbers of cases that are not finished; those that are get their files."""
        predictions = self.outputs.predictions
        for number, id in enumerate(self._ids):
            case = self.case(number)
            before = "kept" if predictions.finished(id) else "redecided"
            if self._has_maps(id) and (before == "kept" or predictions.redecide(id)):
                predictions.drop_work(id)  # of a run that was killed at the last moment
                self.outputs.update(id, case.image)
                self.counts[before] += 1
                self._bar.advance(self._steps[id])
                continue
            check_arithmetic(predictions.folder, predictions.info.arithmetic, self._now)
            aligned = False
            with self._opened.quarantine.item(case.image.name):
                align([case], predictions.folder / CURVES)
                aligned = True
            if aligned:
                yield number

    def _has_maps(self, id: str) -> bool:
        """Whether a case has the maps of uncertainty that were asked for."""
        return not self._uncertain or StoredUncertainty(self.outputs.predictions).sound(id)

    def _begin(self, number: int) -> None:
        """Begin a case that is answered unit by unit, or go on with it."""
        case, predictions = self.case(number), self.outputs.predictions
        recipe = self.loaded.bundles[0].recipe
        with self._opened.quarantine.item(case.image.name):
            place = predictions.place(case.id)
            seen = self.loaded.seen(case.image)
            thick = thickness_of(case.image, recipe, place, self._memory, seen)
            self._check_room(number, thick)
            units = units_of(case, recipe, place, thick)
            units.begin()
            source = self._opened.sources[case.id].digest
            remaining = Remaining(units, Ledger(place.work, place.plan, thick, source))
            columns = len({unit.across for unit in units.phases[0]})
            self._bar.grow((columns - 1) * self._steps[case.id])
            self._bar.advance(remaining.steps_done)
            row = in_a_row(case.image, recipe, self._workers, columns) if self._workers else 1
            task = Task(self._plan, "units", number, thick=tuple(thick))
            self._in_work[number] = _CaseInWork(task, units, remaining, row)

    def _check_room(self, number: int, thick: Sequence[int]) -> None:
        predicted, case, chosen = self._opened.cases[self._ids[number]]
        recipe, folder = self.loaded.bundles[0].recipe, self.outputs.predictions.folder
        written = self.outputs.predictions.written(case.id)
        elsewhere = self.outputs.predictions.info.store is not None
        if predicted.banded or self._workers:
            kept = (4 if recipe.task.kind == "restore" else 2) * recipe.task.outputs
            kept = 0 if elsewhere else kept
            work = 0 if predicted.banded else work_bytes(case.image, recipe)
            check_room(case.image.name, folder, kept * prod(case.image.shape) + work, written)
            return
        ahead = plan_case(
            case.image,
            self.loaded.members(chosen),
            recipe,
            device=self.loaded.device,
            precision=self.loaded.precision,
            batch=self._now.batch,
            place=self.outputs.predictions.place(case.id),
            thick=thick,
        )
        ahead = replace(ahead, kept=0) if elsewhere else ahead
        ahead.check_disk(folder, written)
        for line in ahead.lines() if self._lines else ():
            say(line)


class _CaseInWork:
    """A case whose units are given out phase by phase, then its mask."""

    def __init__(self, task: Task, units: Units, remaining: Remaining, row: int) -> None:
        self.units, self._task, self._remaining, self._row = units, task, remaining, row
        self._queue: deque[Task] = deque()
        self._out: set[int] = set()  # units that workers have
        self._ending = False

    def next(self) -> Task | None:
        if not self._queue and not self._out and not self._ending:
            self._fill()
        if not self._queue:
            return None
        task = self._queue.popleft()
        self._out |= {*range(task.first, task.first + task.count)}
        return task

    def _fill(self) -> None:
        for phase, missing in enumerate(self._remaining.missing):
            if missing:
                numbers = {unit: n for n, unit in enumerate(self.units.phases[phase])}
                self._queue.extend(self._tasks(phase, [numbers[unit] for unit in missing]))
                return
        self._ending = True
        self._queue.append(replace(self._task, part="finish"))

    def _tasks(self, phase: int, numbers: list[int]) -> Iterator[Task]:
        """Yield tasks of units in a row."""
        first, count = numbers[0], 0
        for number in numbers:
            if number != first + count or count == self._row:
                yield replace(self._task, phase=phase, first=first, count=count)
                first, count = number, 0
            count += 1
        yield replace(self._task, phase=phase, first=first, count=count)

    def done(self, task: Task, outcome: Outcome) -> None:
        self._out -= {*range(task.first, task.first + task.count)}
        units = self.units.phases[task.phase][task.first : task.first + task.count]
        for unit, sha256 in zip(units, outcome.digests, strict=False):
            if unit in self._remaining.missing[unit.phase]:
                self._remaining.note(unit, sha256)


def _steps(case: PredictedCase, volume: Volume, loaded: LoadedMembers) -> int:
    """Return what the bar counts of a case: slices, bands, or one."""
    recipe = loaded.bundles[0].recipe
    if case.banded or len(volume.axes) == recipe.frame.axes == 3:
        return len(bands(case.shape, recipe.task.outputs))
    slices = recipe.frame.slices
    if slices is None or len(volume.axes) == 2:
        return 1
    return sum(volume.shape[volume.axes.index(a)] for a in slices.axes if a in volume.axes)
