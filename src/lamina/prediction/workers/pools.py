"""Who does the tasks of a schedule: this process, or a pool of others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Outcome, Task
from lamina.prediction.workers.worker import Worker


class Pool(Protocol):
    """Workers; a context manager, at whose end all of them are gone."""

    @property
    def free(self) -> bool:
        """Whether another task may be submitted: at most two for each worker are in flight."""
        ...

    @property
    def busy(self) -> bool:
        """Whether an outcome is still to come."""
        ...

    def submit(self, task: Task, name: str) -> None:
        """Give a task to a worker; ``name`` is for messages."""
        ...

    def next(self) -> tuple[Task, Outcome]:
        """Wait for a task, or for a part of one that was cut up, to be done.

        Raises:
            LaminaError: no worker can work at all.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ThisProcess:
    """A pool of one: tasks are done here, when their outcome is asked for.

    What was answered of an image, or of a unit of a volume, is written while the next is answered.
    """

    def __init__(self, worker: Worker) -> None:
        """``worker`` does the tasks."""
        self._worker = worker
        self._waiting: deque[Task] = deque()
        self._ending: deque[tuple[Task, Callable[[], Outcome]]] = deque()

    @property
    def free(self) -> bool:
        """Whether fewer than three tasks are in flight: one is written, one done, one read."""
        return len(self._waiting) + len(self._ending) < 3

    @property
    def busy(self) -> bool:
        """Whether an outcome is still to come."""
        return bool(self._waiting or self._ending)

    def submit(self, task: Task, name: str) -> None:
        """Keep a task until ``next``."""
        del name
        self._waiting.append(task)

    def next(self) -> tuple[Task, Outcome]:
        """Do the oldest task; where it may still be written, answer the one that follows, too."""
        while self._waiting and len(self._ending) < 2:
            overlaps = self._worker.overlaps(self._waiting[0])
            if self._ending and not overlaps:
                break
            task = self._waiting.popleft()
            after = self._waiting[0] if self._waiting else None
            self._ending.append((task, self._worker.begun(task, after)))
            if not overlaps:
                break
        task, ended = self._ending.popleft()
        return task, ended()

    def __enter__(self) -> Self:
        """There is nothing to begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what is being written, so that nothing writes once the folder is free."""
        self._worker.close()


def work_off(schedule: Schedule, pool: Pool) -> None:
    """Let a pool do all tasks of a schedule.

    Raises:
        LaminaError: what stops all cases.
    """
    with schedule.bar, pool:
        while True:
            while pool.free and (task := schedule.next()) is not None:
                pool.submit(task, schedule.name_of(task))
            if not pool.busy:
                return
            schedule.done(*pool.next())
