"""Processes on this machine that predict; each opens bundles and predictions for its first task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from lamina.prediction.workers.process_pool import ProcessPool
from lamina.prediction.workers.tasks import Outcome, Setup, Task

if TYPE_CHECKING:
    from lamina.prediction.workers.worker import Worker


class LocalPool(ProcessPool[Task, Outcome]):
    """Worker processes of this machine."""

    def __init__(self, setup: Setup, environments: Sequence[Mapping[str, str]]) -> None:
        """Start nothing yet.

        Args:
            setup: What every worker begins with.
            environments: What each worker's environment has besides that of this process.
        """
        super().__init__(partial(_do, setup), Outcome.failed, environments, threads=setup.threads)


_worker: list[Worker] = []
"""What a worker process holds; the main process has none."""


def _do(setup: Setup, task: Task) -> Outcome:
    """Do a task in this process."""
    if not _worker:
        from lamina.prediction.workers.worker import open_worker

        _worker.append(open_worker(setup))
    return _worker[0].do(task).portable()
