"""Which pool does the tasks of a prediction."""

from __future__ import annotations

from lamina.prediction.workers.local_pool import LocalPool
from lamina.prediction.workers.pools import Pool, ThisProcess
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Setup
from lamina.prediction.workers.worker import Worker


def pool_of(schedule: Schedule, setup: Setup, workers: int | None) -> Pool:
    """Return who does the tasks of a schedule.

    Args:
        schedule: Of the prediction; with its networks where this process does them.
        setup: What workers begin with.
        workers: Processes; None: this one.
    """
    if workers is None:
        worker = Worker(
            schedule.outputs,
            schedule.loaded,
            schedule.case,
            batch=setup.batch,
            memory=setup.memory,
            tick=schedule.bar.advance,
        )
        return ThisProcess(worker)
    return LocalPool(setup, [{}] * workers)
