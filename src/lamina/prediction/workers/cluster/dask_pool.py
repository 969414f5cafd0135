"""Workers of a Dask cluster, on any number of machines (extra ``dask``).

Tasks are futures, at most two for each worker. A worker that is lost costs what it was at: Dask
gives its tasks to others. A task at which Dask lost too many workers is done once more at the end,
alone; should it be lost again, that case fails, by name.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from lamina.errors import RecipeError, ResourceError
from lamina.prediction.workers.tasks import AT_ONCE, Outcome, Setup, Task

if TYPE_CHECKING:
    from distributed import Client, Future

_EVERY = 2.0  # seconds between questions for the number of workers

_GONE = "--cluster: the scheduler lost the tasks, or is gone; run the same command again to resume"


class DaskPool:
    """The workers of a Dask client."""

    def __init__(self, setup: Setup, client: Client) -> None:
        """Submit nothing yet; ``client`` is closed by whoever made it."""
        from distributed import as_completed

        self._setup, self._client = setup, client
        self._completed = as_completed([], raise_errors=False, loop=client.loop)
        self._tasks: dict[str, tuple[Future[Outcome], Task]] = {}
        self._names: dict[Task, str] = {}
        self._again: deque[Task] = deque()
        self._lost: set[Task] = set()
        self._asked, self._workers = 0.0, 1

    @property
    def free(self) -> bool:
        """Whether there are fewer than two tasks for each live worker."""
        now = time.monotonic()
        if now - self._asked > _EVERY:
            with _scheduler_there():
                self._asked, self._workers = now, max(len(self._client.nthreads()), 1)
        return len(self._tasks) + len(self._again) < AT_ONCE * self._workers

    @property
    def busy(self) -> bool:
        """Whether a task is given, or waits for the end."""
        return bool(self._tasks or self._again)

    def submit(self, task: Task, name: str) -> None:
        """Give a task to the cluster."""
        self._names[task] = name
        key = f"lamina-{task.part}-{uuid.uuid4().hex}"
        future = self._client.submit(do_task, self._setup, task, key=key, pure=False)
        self._tasks[key] = (future, task)
        self._completed.add(future)

    def next(self) -> tuple[Task, Outcome]:
        """Wait for an outcome.

        Raises:
            ResourceError: the scheduler is gone.
            LaminaError: a worker cannot begin, for a reason that all of them share.
        """
        while True:
            if not self._tasks:
                task = self._again.popleft()
                self.submit(task, self._names[task])
            future = next(self._completed)
            _, task = self._tasks.pop(future.key)
            if future.status == "finished":
                self._names.pop(task, None)
                with _scheduler_there():
                    return task, future.result()
            failed = self._failed(task, future)
            if failed is not None:
                return failed

    def _failed(self, task: Task, future: Future[Outcome]) -> tuple[Task, Outcome] | None:
        """Keep a task for the end that killed its workers; return one that did so again."""
        from distributed.scheduler import KilledWorker

        if future.status != "error":
            raise ResourceError(_GONE)
        error = future.exception()
        name = self._names.pop(task)
        if isinstance(error, ModuleNotFoundError):
            raise RecipeError(f"--cluster: workers lack {error.name}; install lamina there")
        if not isinstance(error, KilledWorker):
            raise error
        if task in self._lost:
            lost = ResourceError(
                f"{name}: workers of the cluster ended there without a word, again when it was "
                "alone, most likely since the memory was short; give workers more memory, or pass "
                "a smaller --memory, and run the same command again"
            )
            return task, Outcome.failed(task, lost)
        for part in task.single():
            self._names[part] = name
            self._lost.add(part)
            self._again.append(part)
        return None

    def __enter__(self) -> Self:
        """Workers open the prediction with their first task."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take back what is not done."""
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel([future for future, _ in self._tasks.values()])


@contextmanager
def _scheduler_there() -> Iterator[None]:
    """Refuse to go on where the scheduler no longer answers."""
    try:
        yield
    except (OSError, TimeoutError, CancelledError) as error:
        raise ResourceError(_GONE) from error


def do_task(setup: Setup, task: Task) -> Outcome:
    """Do a task in a worker of Dask, which keeps what it has opened.

    Raises:
        RecipeError: the worker has several threads.
    """
    from distributed import get_worker

    from lamina.prediction.workers.worker import open_worker

    here: Any = get_worker()
    if here.state.nthreads > 1:
        raise RecipeError(
            f"--cluster: the worker {here.address} has {here.state.nthreads} threads; start "
            "workers with --nthreads 1, and more of them"
        )
    held = getattr(here, "lamina", None)
    if held is None or held[0] != setup:
        here.lamina = None  # before more memory is taken
        held = here.lamina = (setup, open_worker(setup))
    outcome: Outcome = held[1].do(task).portable()
    return outcome
