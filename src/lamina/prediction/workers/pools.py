"""Who does the tasks of a schedule: this process, or a pool of others."""

from __future__ import annotations

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
    """A pool of one: tasks are done here, when their outcome is asked for."""

    def __init__(self, worker: Worker) -> None:
        """``worker`` does the tasks."""
        self._worker = worker
        self._task: Task | None = None

    @property
    def free(self) -> bool:
        """Whether no task waits."""
        return self._task is None

    @property
    def busy(self) -> bool:
        """Whether a task waits."""
        return self._task is not None

    def submit(self, task: Task, name: str) -> None:
        """Keep a task until ``next``."""
        del name
        self._task = task

    def next(self) -> tuple[Task, Outcome]:
        """Do the task."""
        task, self._task = self._task, None
        if task is None:
            raise ValueError("no task was submitted")
        return task, self._worker.do(task)

    def __enter__(self) -> Self:
        """There is nothing to begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """There is nothing to end."""


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
