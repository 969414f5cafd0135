"""Every step on several devices: a process for each, which all train the same fold together."""

from __future__ import annotations

import contextvars
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from lamina.errors import LaminaError, StoppedError
from lamina.training.devices.children.messages import Work
from lamina.training.devices.children.processes import DeviceProcess
from lamina.training.devices.children.spread import FoldSpread, Job
from lamina.training.devices.failures import RankLost
from lamina.training.devices.ranks import RankSetup
from lamina.training.train_result import FoldResult

_GRACE = 15.0  # seconds that processes have to end by themselves after one of them failed


@dataclass
class BatchSpread(FoldSpread):
    """The folds of one or several runs, one after another, each by all devices."""

    def run(self) -> None:
        """Train every fold; ``results`` then has them.

        Raises:
            StoppedError: a signal asked to stop; the state is saved.
            LaminaError: a process failed; the others were ended.
        """
        self._todo = [(name, fold) for name, run in self.runs.items() for fold in run.wanted]
        total = len(self._todo)
        with tempfile.TemporaryDirectory(prefix="lamina-") as folder:
            size = len(self.devices)
            meeting = str(Path(folder) / "ranks")
            processes: list[DeviceProcess] = []
            try:
                for rank, device in enumerate(self.devices):
                    processes.append(self._start(device, RankSetup(rank, size, meeting)))
                while not self._errors and (job := self._next()) is not None:
                    self._train(job, processes)
            except BaseException:
                for process in processes:
                    process.kill()
                raise
            finally:
                for device in list(self._processes):
                    self._drop(device)
        self._raise(total)

    def _train(self, job: Job, processes: list[DeviceProcess]) -> None:
        """Let all processes train one fold; keep the result or the error."""
        work = self._work(job)
        found: dict[int, FoldResult | LaminaError] = {}
        threads = [
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._ask, job, work, rank, process, found),
                daemon=True,
            )
            for rank, process in enumerate(processes)
        ]
        for thread in threads:
            thread.start()
        self._watch(threads, processes, found)
        failed = [one for one in found.values() if isinstance(one, LaminaError)]
        main = found[0]
        if failed:
            # Whoever only lost another knows least; a stop is the same on all of them.
            failed.sort(key=lambda error: isinstance(error, RankLost))
            self._errors[job] = failed[0]
        elif isinstance(main, FoldResult):
            self.results[job] = main

    def _ask(
        self,
        job: Job,
        work: Work,
        rank: int,
        process: DeviceProcess,
        found: dict[int, FoldResult | LaminaError],
    ) -> None:
        try:
            found[rank] = process.work(work, lambda precision: self._begun(job, precision))
        except LaminaError as error:
            found[rank] = error
        except Exception as error:  # noqa: BLE001 - told as that of the fold
            found[rank] = LaminaError(f"fold {job[1]}: {type(error).__name__}: {error}")

    def _watch(
        self,
        threads: list[threading.Thread],
        processes: list[DeviceProcess],
        found: dict[int, FoldResult | LaminaError],
    ) -> None:
        """Wait for all; pass a signal on to them, and end those that outlive another's failure."""
        told, since = False, 0.0
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.05)
            if self.stop.signal and not told:
                told = True
                for process in processes:
                    process.stop()
            failed = any(_failed(one, processes[rank]) for rank, one in list(found.items()))
            since = since or (time.monotonic() if failed else 0.0)
            if since and time.monotonic() - since > _GRACE:
                for process in processes:
                    process.kill()


def _failed(found: FoldResult | LaminaError, process: DeviceProcess) -> bool:
    """Whether the others wait in vain for a process: it failed, or ended while it was starting."""
    stopped = isinstance(found, StoppedError) and process.alive
    return isinstance(found, LaminaError) and not stopped
