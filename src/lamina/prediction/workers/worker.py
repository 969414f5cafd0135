"""What one process does of a prediction; it keeps networks and the case it works on."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

import lamina
from lamina.bundle import load_bundles, versions
from lamina.data.case import Case
from lamina.errors import BundleError, DataError, RecipeError
from lamina.prediction.cases.opener import CaseOpener
from lamina.prediction.cases.together import Together
from lamina.prediction.changes import changed, with_threshold
from lamina.prediction.engine import (
    answering,
    job_of,
    overlaps,
    predict_case,
    predict_gathered,
    units_of,
)
from lamina.prediction.folder.ledger import CollectedLedger
from lamina.prediction.folder.manifest import PredictedCase
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.members.loaded import LoadedMembers
from lamina.prediction.outputs.write import Outputs
from lamina.prediction.streaming.slabs import is_cut
from lamina.prediction.streaming.units.unit import Unit, Units
from lamina.prediction.tiling.memory import keep_memory
from lamina.prediction.tiling.precision import PRECISIONS, choose_device, device_kind
from lamina.prediction.tiling.tiled_inference import Member, TiledInference
from lamina.prediction.uncertainty.predict import How, predict_uncertain
from lamina.prediction.workers.tasks import Failure, Outcome, Setup, Task
from lamina.refusals import system_said
from lamina.volume import view_chain

T = TypeVar("T")

_PASSING = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN, errno.ECONNRESET}
"""What a shared disk says while it is busy or away."""

PAUSES = (1.0, 5.0)
"""Seconds before a task is tried again that such a disk has stopped."""


class Worker:
    """Does tasks of one prediction; what it writes, its outcomes tell."""

    def __init__(
        self,
        outputs: Outputs,
        loaded: LoadedMembers,
        case_of: Callable[[int], Case],
        *,
        batch: int,
        memory: int | None,
        tick: Callable[[int], object] | None = None,
        ahead: bool = False,
    ) -> None:
        """Begin.

        Args:
            outputs: The kinds of files to make; its predictions are those of the folder.
            loaded: The members.
            case_of: Opens the case with that number in ``prediction.json``.
            batch: Tiles per forward pass.
            memory: Bytes for slabs of volumes; None: 256 MiB.
            tick: Told the steps of a progress bar as they go; None: outcomes tell them.
            ahead: Whether the memory holds the answers of two images: one is written, one made.
        """
        self._ledger = CollectedLedger(outputs.predictions.folder)
        predictions = replace(outputs.predictions, _ledger=self._ledger)
        self._outputs, self._predictions = replace(outputs, predictions=predictions), predictions
        self._loaded, self._case_of, self._batch, self._memory = loaded, case_of, batch, memory
        self._tick, self._steps, self._ahead = tick, 0, ahead
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lamina-write")
        self._last: Sequence[Future[Any]] = ()
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._current: tuple[tuple[int, tuple[int, ...]], Units, TiledInference] | None = None
        self._together = Together.of(predictions.info)

    def do(self, task: Task) -> Outcome:
        """Do a task; what goes wrong with a case is in the outcome."""
        return self.begun(task)()

    def close(self) -> None:
        """Wait for what is being written; no task can be done afterwards."""
        self._writer.shutdown()

    def overlaps(self, task: Task) -> bool:
        """Whether what ``begun`` answers of a task may be written while the next is begun.

        Slices of one file are answered and written in turn, since its reader serves one thread.
        """
        if task.part != "cases":
            return task.part == "units" and overlaps(self._loaded.device)
        several = task.count != 1 and self._together is None
        if not self._ahead or several or self._predictions.info.uncertainty:
            return False
        chains = [list(view_chain(self._case_of(number).image)) for number in task.cases]
        return all(len(chain[-1].axes) == 2 for chain in chains)

    def begun(self, task: Task, after: Task | None = None) -> Callable[[], Outcome]:
        """Do a task but for the end of its writing; return what waits for that.

        Args:
            task: What to do.
            after: The task that will be begun next, where it is known; its slab is read meanwhile.
        """
        begun, self._steps = time.monotonic(), 0
        if task.part == "units":
            ended = self._units(task, after)
        elif task.part == "cases" and self._together is not None:
            ended = self._gathered(task, self._together)
        else:
            ended = self._image(task.case) if self.overlaps(task) else self._cases(task)
        steps, seconds = self._steps, time.monotonic() - begun
        return lambda: replace(ended(), steps=steps, seconds=seconds, worker=self._name)

    def _image(self, number: int) -> Callable[[], Outcome]:
        """Answer an image; it is written while the next one is answered."""
        try:
            with system_said():
                prob = patient(lambda: self._prob(number))
        except Exception as error:  # noqa: BLE001  # each case fails by itself
            failures = {number: Failure.of(error)}
            return lambda: Outcome({number: []}, failures=failures)
        self._show(1)
        return self._written_behind({number: prob}).result

    def _written_behind(self, answers: Mapping[int, NDArray[np.float32]]) -> Future[Outcome]:
        """Write images in a thread, once those before are written."""
        wait(self._last)
        write = self._writer.submit(copy_context().run, self._images_written, answers)
        self._last = (write,)
        return write

    def _images_written(self, answers: Mapping[int, NDArray[np.float32]]) -> Outcome:
        rows, failures = {}, {}
        for number, prob in answers.items():
            try:
                with system_said():
                    patient(partial(self._write, number, prob))
            except Exception as error:  # noqa: BLE001  # each case fails by itself
                failures[number] = Failure.of(error)
            rows[number] = self._ledger.taken()
        return Outcome(rows, failures=failures)

    def _gathered(self, task: Task, together: Together) -> Callable[[], Outcome]:
        """Answer images together; they are written while those that follow are answered."""
        behind, written, failures = self.overlaps(task), list[Future[Outcome]](), {}
        for numbers in together.runs(task.cases):
            answers, bad = self._answers(numbers)
            failures.update(bad)
            self._show(len(answers))
            if behind:
                written.append(self._written_behind(answers))
            else:
                written.append(Future())
                written[-1].set_result(self._images_written(answers))
        return lambda: Outcome.joined([write.result() for write in written], failures)

    def _answers(
        self, numbers: Sequence[int]
    ) -> tuple[dict[int, NDArray[np.float32]], dict[int, Failure]]:
        """Return the answers of images; where one is bad, each is answered by itself, alike."""
        try:
            with system_said():
                probs = patient(partial(self._probs, numbers))
        except Exception as error:  # noqa: BLE001  # each case fails by itself
            if len(numbers) == 1:
                return {}, {numbers[0]: Failure.of(error)}
            each = [self._answers([number]) for number in numbers]
            answers = {number: prob for found, _ in each for number, prob in found.items()}
            return answers, {number: bad for _, found in each for number, bad in found.items()}
        return dict(zip(numbers, probs, strict=True)), {}

    def _probs(self, numbers: Sequence[int]) -> list[NDArray[np.float32]]:
        return predict_gathered(
            [self._case_of(number) for number in numbers],
            self._members(self._predictions.info.cases[numbers[0]]),
            self._loaded.bundles[0].recipe,
            device=self._loaded.device,
            precision=self._loaded.precision,
            batch=self._batch,
        )

    def _cases(self, task: Task) -> Callable[[], Outcome]:
        rows, failures = {}, {}
        for number in task.cases:
            try:
                with system_said():
                    self._patient_case(number, task)
            except Exception as error:  # noqa: BLE001  # each case fails by itself
                failures[number] = Failure.of(error)
            rows[number] = self._ledger.taken()
        return lambda: Outcome(rows, failures=failures)

    def _patient_case(self, number: int, task: Task) -> None:
        patient(lambda: self._case(number, task))

    def _case(self, number: int, task: Task) -> None:
        predictions, predicted = self._predictions, self._predictions.info.cases[number]
        case = self._case_of(number)
        if task.part == "finish":
            predictions.note_stored(predicted.id)
        elif predictions.info.uncertainty:
            how = How(self._loaded.device, self._loaded.precision, self._batch, self._memory)
            members, recipe = self._members(predicted), self._loaded.bundles[0].recipe
            predict_uncertain(predictions, case, members, recipe, how)
        else:
            self._write(number, self._prob(number))
            self._show(1)
            return
        self._outputs.update(predicted.id, case.image)

    def _prob(self, number: int) -> NDArray[np.float32]:
        return predict_case(
            self._case_of(number),
            self._members(self._predictions.info.cases[number]),
            self._loaded.bundles[0].recipe,
            device=self._loaded.device,
            precision=self._loaded.precision,
            batch=self._batch,
            fixed=True,
        )

    def _write(self, number: int, prob: NDArray[np.float32]) -> None:
        id = self._predictions.info.cases[number].id
        self._predictions.add(id, prob)
        self._outputs.update(id, self._case_of(number).image)

    def _units(self, task: Task, after: Task | None) -> Callable[[], Outcome]:
        """Answer units; what was answered is written while the next one is."""
        writes: list[Future[str]] = []
        failure: Failure | None = None
        try:
            with system_said():
                units, job = patient(lambda: self._in_work(task))
                with answering(job):
                    for unit, following in _units_of(units, task, after):
                        write = self._answered(units, job, unit, following)
                        wait(writes[-1:] or self._last)  # one is written at a time
                        writes.append(self._submitted(job, write))
                        if writes[-1].done() and writes[-1].exception() is not None:
                            break
        except Exception as error:  # noqa: BLE001  # each case fails by itself
            self._current, failure = None, Failure.of(error)
        self._last = writes[-1:]
        return lambda: self._outcome(task, writes, failure)

    def _submitted(self, job: TiledInference, write: Callable[[], str]) -> Future[str]:
        """Return what is written in a thread, or has been written here."""
        if job.overlapped:
            return self._writer.submit(_written, write)
        done: Future[str] = Future()
        try:
            done.set_result(_written(write))
        except Exception as error:  # noqa: BLE001  # told with the outcome
            done.set_exception(error)
        return done

    def _answered(
        self, units: Units, job: TiledInference, unit: Unit, after: Unit | None
    ) -> Callable[[], str]:
        return patient(lambda: units.answered(job, unit, self._show, after))

    def _outcome(
        self, task: Task, writes: Sequence[Future[str]], failure: Failure | None
    ) -> Outcome:
        """Wait for what is being written of a task."""
        digests = []
        try:
            for write in writes:
                digests.append(write.result())  # noqa: PERF401  # those before a failure count
        except Exception as error:  # noqa: BLE001  # each case fails by itself
            self._current, failure = None, Failure.of(error)
        failures = {} if failure is None else {task.case: failure}
        return Outcome(digests=tuple(digests), failures=failures)

    def _in_work(self, task: Task) -> tuple[Units, TiledInference]:
        """Return the units of a case, and who answers; those of the last case are kept."""
        key = (task.case, task.thick)
        if self._current is None or self._current[0] != key:
            self._current = None  # before more memory is taken
            predicted = self._predictions.info.cases[task.case]
            case, recipe = self._case_of(task.case), self._loaded.bundles[0].recipe
            units = units_of(case, recipe, self._predictions.place(predicted.id), task.thick)
            job = job_of(
                self._members(predicted),
                recipe,
                self._loaded.device,
                self._loaded.precision,
                self._batch,
                volume=is_cut(case.image, recipe.frame),
                fixed=True,
            )
            self._current = (key, units, job)
        return self._current[1], self._current[2]

    def _members(self, predicted: PredictedCase) -> list[Member]:
        return self._loaded.members_named(predicted.members)

    def _show(self, steps: int) -> None:
        if self._tick is None:
            self._steps += steps
        else:
            self._tick(steps)


def _units_of(units: Units, task: Task, after: Task | None) -> Iterator[tuple[Unit, Unit | None]]:
    """Yield the units of a task, each with the one that comes next in its phase, if it is known."""
    phase = units.phases[task.phase]
    mine = phase[task.first : task.first + task.count]
    following = None
    if after is not None and replace(after, first=task.first, count=task.count) == task:
        following = phase[after.first]
    yield from zip(mine, [*mine[1:], following], strict=True)


def _written(write: Callable[[], str]) -> str:
    with system_said():
        return patient(write)


def patient(work: Callable[[], T]) -> T:
    """Return what ``work`` returns; a disk that is busy is asked twice more, after a pause."""
    for pause in PAUSES:
        try:
            return work()
        except OSError as error:
            if error.errno not in _PASSING:
                raise
        except Exception as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in _PASSING:
                raise
        time.sleep(pause)
    return work()


def open_worker(setup: Setup) -> Worker:
    """Return a worker for a process of its own; a disk that is busy is asked again.

    Raises:
        BundleError: the bundles are not those of the prediction.
        RecipeError: its device computes other bytes than that of the main process.
        DataError: the folder holds another prediction.
    """
    return patient(lambda: _opened(setup))


def _opened(setup: Setup) -> Worker:
    keep_memory()
    torch.set_num_threads(setup.threads)
    sources = [Path(source) for source in setup.sources]
    bundles = with_threshold(
        changed(load_bundles(sources, unfinished=True), setup.changes), setup.threshold
    )
    predictions = Predictions.open(setup.out)
    info = predictions.info
    if info.bytes_plan() != setup.plan:
        raise DataError(f"{setup.out}: holds another prediction now; run the same command again")
    if tuple(bundle.digest() for bundle in bundles) != info.bundles:
        raise BundleError(
            f"{', '.join(setup.sources)}: changed since the prediction began, or differs on this "
            "machine; copy it again"
        )
    if (info.lamina, info.versions) != (lamina.__version__, versions()):
        raise RecipeError(
            f"{socket.gethostname()}: has other versions of lamina or its libraries than the "
            "prediction began with; install the same everywhere"
        )
    device = choose_device(setup.device)
    kind = device_kind(device)
    if info.arithmetic is not None and info.arithmetic.device != kind:
        raise RecipeError(
            f"{socket.gethostname()}: predicts on {kind}, and the prediction began on "
            f"{info.arithmetic.device}, whose last digits differ; use workers of one kind"
        )
    loaded = LoadedMembers(bundles, device, PRECISIONS[setup.precision])
    loaded.apart = info.uncertainty
    opener = CaseOpener(predictions, loaded, Path(setup.folder))
    outputs = Outputs(predictions, setup.kinds)
    return Worker(outputs, loaded, opener.open, batch=setup.batch, memory=setup.memory)
