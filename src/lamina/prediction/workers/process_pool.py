"""Processes on this machine, one thread each.

Each worker is an executor of one process, so that a process that dies is known by its task and
takes no other worker with it. It is started anew, and its tasks are given again: the one it was at
counts as lost once more, others that waited do not. A task is cut into parts, such as its cases,
when it is first lost, and what is lost three times is done alone at the end; should it be lost
again, that part fails, by name.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from lamina.errors import RecipeError, ResourceError
from lamina.machine.environment import started_with
from lamina.prediction.workers.tasks import AT_ONCE

LOSSES = 3
"""Workers that may be lost at a task before it waits for the others to be done."""


def check_workers(count: object) -> None:
    """Refuse what is no number of workers.

    Raises:
        RecipeError: it is neither ``auto``, nor a whole number from 1 on, nor None.
    """
    if count not in (None, "auto") and (not isinstance(count, int) or count < 1):
        raise RecipeError(f"--workers is {count!r}; it must be auto, or 1 or more")


class Divisible(Protocol):
    """A task, told from others by its hash."""

    def single(self) -> Sequence[Self]:
        """Return a task for each of its parts."""
        ...


T = TypeVar("T", bound=Divisible)
O = TypeVar("O")  # noqa: E741  # an outcome


class ProcessPool(Generic[T, O]):
    """Worker processes of this machine."""

    def __init__(
        self,
        do: Callable[[T], O],
        failed: Callable[[T, Exception], O],
        environments: Sequence[Mapping[str, str]],
        *,
        threads: int = 1,
        verb: str = "lamina.predict",
        less: str = "fewer --workers or a smaller --memory",
    ) -> None:
        """Start nothing yet.

        Args:
            do: What a worker does with a task; it is sent to it with each.
            failed: Returns the outcome of a task that has failed for good.
            environments: What each worker's environment has besides that of this process.
            threads: Threads of each worker.
            verb: What scripts call, for messages.
            less: What takes less memory, for messages.
        """
        self._failed, self._less = failed, less
        self._workers = [_Process(do, dict(each), threads, verb) for each in environments]
        self._names: dict[T, str] = {}
        self._lost: dict[T, int] = {}
        self._alone: deque[T] = deque()

    @property
    def free(self) -> bool:
        """Whether a worker has fewer than two tasks."""
        return self._count < AT_ONCE * len(self._workers)

    @property
    def busy(self) -> bool:
        """Whether a task is given, or waits for the end."""
        return self._count > 0

    @property
    def _count(self) -> int:
        return sum(len(each.tasks) for each in self._workers) + len(self._alone)

    def submit(self, task: T, name: str) -> None:
        """Give a task to the worker that has the fewest."""
        self._names[task] = name
        min(self._workers, key=lambda each: len(each.tasks)).give(task)

    def next(self) -> tuple[T, O]:
        """Wait for an outcome; a worker that is lost is replaced meanwhile.

        Raises:
            ResourceError: processes cannot be started.
            LaminaError: a worker cannot begin, for a reason that all of them share.
        """
        while True:
            if not any(each.tasks for each in self._workers):
                task = self._alone.popleft()
                self._workers[0].give(task)
            futures = {future: each for each in self._workers for future in each.tasks}
            done, _ = wait(futures, return_when=FIRST_COMPLETED)
            future = next(future for future in futures if future in done)  # in order of submission
            worker = futures[future]
            if isinstance(future.exception(), BrokenProcessPool):
                failed = self._replace(worker)
                if failed is not None:
                    return failed
                continue
            task = worker.tasks.pop(future)
            self._lost.pop(task, None)
            self._names.pop(task, None)
            return task, future.result()

    def _replace(self, worker: _Process[T, O]) -> tuple[T, O] | None:
        """Give the tasks of a lost worker again; return one that has failed for good."""
        tasks = worker.lose()
        task, waiting = tasks[0], tasks[1:]
        for other in waiting:
            worker.give(other)
        name, lost = self._names.pop(task), self._lost.pop(task, 0) + 1
        if lost > LOSSES:
            return task, self._failed(task, _lost(name, lost, self._less))
        for part in task.single():
            self._names[part], self._lost[part] = name, lost
            if lost == LOSSES:
                self._alone.append(part)
            else:
                worker.give(part)
        return None

    def __enter__(self) -> Self:
        """Workers start with their first task."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End all workers at once; what they were at is done again by the next run."""
        for each in self._workers:
            each.end()


class _Process(Generic[T, O]):
    """One worker process, started anew where it died."""

    def __init__(
        self, do: Callable[[T], O], environment: dict[str, str], threads: int, verb: str
    ) -> None:
        self.tasks: dict[Future[O], T] = {}
        self._do, self._verb = do, verb
        own = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
        self._environment = own | environment
        self._executor: ProcessPoolExecutor | None = None
        self._pid: Future[int] | None = None

    def give(self, task: T) -> None:
        if self._executor is None:
            self._start()
        assert self._executor is not None
        try:
            future = self._executor.submit(self._do, task)
        except BrokenProcessPool as error:  # it died since; the task is given again as it is lost
            future = Future()
            future.set_exception(error)
        self.tasks[future] = task

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        with started_with(self._environment):  # read when libraries are loaded
            self._executor = ProcessPoolExecutor(1, context, _end_with_parent)
            self._pid = self._executor.submit(os.getpid)

    def lose(self) -> list[T]:
        """Forget a process that died; return its tasks, the one it was at first.

        Raises:
            ResourceError: it died before it did anything.
        """
        if self._executor is not None:
            self._executor.shutdown(wait=False)
        if self._pid is None or self._pid.exception() is not None:
            raise ResourceError(
                "--workers: processes cannot be started here; free some memory, or, where a Python "
                f"script calls {self._verb}, put the call below if __name__ == '__main__':"
            )
        tasks = [task for future, task in self.tasks.items() if future.exception() is not None]
        self.tasks = {}
        self._executor = self._pid = None
        return tasks

    def end(self) -> None:
        if self._executor is None:
            return
        # Also one that is starting: it would do the task that it has, and this process wait for it.
        processes = list((self._executor._processes or {}).values())
        self._executor.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()


def _lost(name: str, times: int, less: str) -> ResourceError:
    return ResourceError(
        f"{name}: {times} workers ended there without a word, most likely since the memory was "
        f"short; run the same command again with {less}"
    )


def _end_with_parent() -> None:
    """Leave a keyboard's interrupt to the main process, and end when that ends, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
