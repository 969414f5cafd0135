"""Folds on several devices: a process for each device, which takes one fold after another.

    main process: locks, opens the data, hands out folds, writes the bundle
        ├── process of device 0: fold 0, then fold 2, ...
        └── process of device 1: fold 1, then fold 3, ...

The processes say nothing to one another, and each writes only the folder of its fold, so that no
number depends on how many there are. One that dies fails its fold only; the same command resumes.
"""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from lamina import files
from lamina.errors import LaminaError, RecipeError, StoppedError
from lamina.machine.device_names import DeviceName
from lamina.progress import Level, level, say
from lamina.training.devices.children.messages import Setup, Work
from lamina.training.devices.children.processes import DeviceProcess
from lamina.training.devices.ranks import RankSetup
from lamina.training.run_folder import environment
from lamina.training.saving.state import Saving
from lamina.training.sources.prepared_run import PreparedRun
from lamina.training.stage.signals import Stop
from lamina.training.stage.time_limit import Clock
from lamina.training.train_result import FoldResult

_LOOK = 0.1  # seconds between two looks at whether a signal came

Job = tuple[str, int]
"""The name of a run, and one of its folds."""


@dataclass
class FoldSpread:
    """The folds of one or several runs, trained by the processes of several devices."""

    runs: Mapping[str, PreparedRun]
    """By name; that of a single run is empty."""
    devices: Sequence[DeviceName]
    workers: int | None
    saving: Saving
    online: bool
    track: Callable[[dict[str, float], int], None]
    stop: Stop
    clock: Clock
    results: dict[Job, FoldResult] = field(default_factory=dict)
    _errors: dict[Job, LaminaError] = field(default_factory=dict)
    _todo: list[Job] = field(default_factory=list)
    _processes: dict[DeviceName, DeviceProcess] = field(default_factory=dict)
    _precisions: dict[str, str] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Train every fold; ``results`` then has them.

        Raises:
            StoppedError: a signal asked to stop; every process has saved its state.
            LaminaError: a fold failed; the others were trained.
        """
        self._todo = [(name, fold) for name, run in self.runs.items() for fold in run.wanted]
        total = len(self._todo)
        here = [contextvars.copy_context() for _ in self.devices]
        threads = [
            threading.Thread(target=context.run, args=(self._serve, device), daemon=True)
            for context, device in zip(here, self.devices, strict=True)
        ]
        for thread in threads:
            thread.start()
        try:
            self._wait(threads)
        except BaseException:
            for process in list(self._processes.values()):
                process.kill()
            raise
        self._raise(total)

    def _raise(self, total: int) -> None:
        for error in self._errors.values():
            if isinstance(error, StoppedError):
                raise error
        if self._errors:
            self._tell(total)
            raise next(iter(self._errors.values()))
        if self.stop.signal and len(self.results) < total:  # between two folds
            raise StoppedError(
                f"stopped when {len(self.results)} of {total} folds were trained; run the same "
                "command again to resume",
                self.stop.signal,
            )

    def _wait(self, threads: Sequence[threading.Thread]) -> None:
        told = False
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(_LOOK)
            if self.stop.signal and not told:
                told = True
                for process in list(self._processes.values()):
                    process.stop()

    def _tell(self, total: int) -> None:
        done = len(self.results)
        say(f"{done} of {total} folds are trained; those that failed:")
        for (name, fold), error in self._errors.items():
            say("  " + f"{name} fold {fold}: {error}".lstrip())

    def _serve(self, device: DeviceName) -> None:
        """Train one fold after another on a device; runs in a thread of its own."""
        process: DeviceProcess | None = None
        while (job := self._next()) is not None:
            try:
                work = self._work(job)
                process = process or self._start(device)
                if self.stop.signal:
                    process.stop()
                found = process.work(work, partial(self._begun, job))
                self.results[job] = found
            except LaminaError as error:
                self._errors[job] = error
            except Exception as error:  # noqa: BLE001 - told with the others, when all are done
                self._errors[job] = LaminaError(f"fold {job[1]}: {type(error).__name__}: {error}")
            if process is not None and process.busy:  # what it says next is not asked for
                process.kill()
            if process is not None and not process.alive:
                self._drop(device)
                process = None
        if process is not None:
            self._drop(device)

    def _next(self) -> Job | None:
        with self._turn:
            return self._todo.pop(0) if self._todo and not self.stop.signal else None

    def _work(self, job: Job) -> Work:
        name, fold = job
        with self._turn:  # what is fitted to the data of a run is written to its folder
            left = math.ceil((len(self._todo) + 1) / len(self.devices))
            data = self.runs[name].fold(fold, folds_left=left)
        if name:
            data = replace(data, title=f"{name} {data.title}")
        limit = None if self.clock.limit is None else self.clock.limit / 60
        return Work(fold, data, self.clock.used, limit)

    def _start(self, device: DeviceName, rank: RankSetup | None = None) -> DeviceProcess:
        quiet = rank is not None and rank.rank > 0
        setup = Setup(
            device=device.inside,
            name=str(device),
            processes=len(self.devices),
            workers=self.workers,
            saving=self.saving,
            online=self.online,
            level=Level.QUIET if quiet else max(level(), Level.NORMAL),
            rank=rank,
        )
        process = DeviceProcess(setup, device.variables(len(self.devices)), track=self.track)
        self._processes[device] = process
        return process

    def _drop(self, device: DeviceName) -> None:
        self._processes.pop(device).close()

    def _begun(self, job: Job, precision: str) -> None:
        """Write on what a run is trained; refuse devices that compute in different types."""
        name, _ = job
        with self._turn:
            before = self._precisions.setdefault(name, precision)
        if before != precision:
            raise RecipeError(
                f"the devices {', '.join(map(str, self.devices))} would train in {before} and in "
                f"{precision}; set -s precision={before}, or name devices of one kind"
            )
        devices = ", ".join(map(str, self.devices))
        files.write_json(self.runs[name].out / "env.json", environment(devices, precision))
