"""Tasks done in any order, by any worker, twice: the same bytes."""

from __future__ import annotations

import errno
import pickle
import random
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest

from lamina.errors import DataError, PartialError, ResourceError
from lamina.prediction.run import predict
from lamina.prediction.workers import worker as worker_module
from lamina.prediction.workers.pool_of import Processes
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Failure, Outcome, Setup, Task
from lamina.prediction.workers.worker import Worker, open_worker, patient
from tests.prediction.workers.conftest import Inputs, contents

pytestmark = pytest.mark.usefixtures("thin")


class AnyOrder:
    """Two workers in this process, which open all by path; some tasks are done by both."""

    def __init__(self, setup: Setup, workers: int) -> None:
        self.setup, self.tasks = setup, list[Task]()
        self.chance, self.count = random.Random(workers), 2 * workers
        self.workers: list[Worker] = []
        self.largest = 0

    @property
    def free(self) -> bool:
        return len(self.tasks) < self.count

    @property
    def busy(self) -> bool:
        return bool(self.tasks)

    def submit(self, task: Task, name: str) -> None:
        self.largest = max(self.largest, len(pickle.dumps(task)))
        self.tasks.append(task)

    def next(self) -> tuple[Task, Outcome]:
        if not self.workers:
            self.workers = [open_worker(self.setup) for _ in range(2)]
        task = self.tasks.pop(self.chance.randrange(len(self.tasks)))
        doing = self.chance.sample(self.workers, self.chance.choice([1, 2]))
        outcomes = [each.do(task) for each in doing]
        assert all(each.digests == outcomes[0].digests for each in outcomes)
        return task, outcomes[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            assert 0 < self.largest < 1000


@pytest.fixture
def any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Processes, "pool", lambda self, _, setup: AnyOrder(setup, self.count), raising=True
    )


@pytest.fixture(scope="module")
def alone(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lamina.prediction.streaming.slabs.THICKEST", 16)
        predict(inputs.run, inputs.images, out, device="cpu", progress=False)
    return contents(out)


@pytest.mark.parametrize("workers", [1, 3])
def test_N11_blocks_done_in_any_order_and_twice_are_the_same_bytes(
    inputs: Inputs, alone: dict[str, Any], tmp_path: Path, workers: int, any_order: None
) -> None:
    found = predict(
        inputs.run, inputs.images, tmp_path, device="cpu", workers=workers, progress=False
    )
    assert found.predicted == 5
    assert contents(tmp_path) == alone
    assert not (tmp_path / "work").exists()


def test_this_process_does_one_volume_after_another(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other volume fills the gap between two axes; as with a GPU, with tasks overlapped."""
    monkeypatch.setattr("lamina.prediction.workers.worker.overlaps", lambda _: True)
    monkeypatch.setattr("lamina.prediction.engine.overlaps", lambda _: True)
    images = tmp_path / "images"
    images.mkdir()
    for name in ("v.npy", "w.npy"):
        shutil.copy(inputs.images / "v.npy", images / name)
    tasks, following = list[Task](), Schedule.next

    def noted(schedule: Schedule) -> Task | None:
        task = following(schedule)
        tasks.extend([] if task is None else [task])
        return task

    monkeypatch.setattr(Schedule, "next", noted)
    predict(inputs.run, images, tmp_path / "pred", device="cpu", progress=False)
    monkeypatch.undo()
    order = [(task.case, task.part, task.phase) for task in tasks if task.part != "finish"]
    assert order == sorted(order)
    assert {(case, phase) for case, _, phase in order} == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(
    inputs: Inputs,
    alone: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    any_order: None,
) -> None:
    """N09, B01."""
    done, noted = list[Task](), Schedule.done

    def until(schedule: Schedule, task: Task, outcome: Outcome) -> None:
        done.append(task)
        noted(schedule, task, outcome)
        if len(done) == 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(Schedule, "done", until)
    with pytest.raises(KeyboardInterrupt):
        predict(inputs.run, inputs.images, tmp_path, device="cpu", workers=2, progress=False)
    before, counts = len(done), sum(task.part == "units" for task in done)
    assert counts
    predict(inputs.run, inputs.images, tmp_path, device="cpu", workers=1, progress=False)
    assert contents(tmp_path) == alone
    units = [task for task in done[before:] if task.part == "units"]
    assert len(units) == 5 + 2 - counts  # slabs along z and y


def test_B09_a_case_that_fails_in_a_worker_stops_no_other(
    inputs: Inputs, alone: dict[str, Any], tmp_path: Path, any_order: None
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in inputs.images.iterdir():
        shutil.copy(path, images)
    bad = np.load(inputs.images / "v.npy").astype(np.float32)
    bad[35] = np.nan
    np.save(images / "w.npy", bad)
    with pytest.raises(PartialError, match=r"w\.npy") as caught:
        predict(inputs.run, images, tmp_path / "pred", device="cpu", workers=2, progress=False)
    assert caught.value.result is not None
    assert caught.value.result.predicted == 5
    assert caught.value.result.cases == 5


def test_errors_of_workers_keep_their_kind_their_cause_and_their_place() -> None:
    class Odd(Exception):
        def __reduce__(self) -> Any:
            raise TypeError("not this one")

    def raised(error: Exception) -> Exception:
        try:
            raise error
        except Exception as caught:  # noqa: BLE001
            failure = Failure.of(caught).portable()
        again = pickle.loads(pickle.dumps(failure))
        with pytest.raises(Exception) as found:  # noqa: PT011
            again.raised()
        assert "test_schedule.py" in "".join(found.value.__notes__)
        return found.value

    assert isinstance(raised(DataError("x: is damaged")), DataError)
    full = ResourceError("the disk is full")
    full.__cause__ = OSError(errno.ENOSPC, "no space")
    assert raised(full).__cause__.errno == errno.ENOSPC  # type: ignore[union-attr]
    assert str(raised(Odd("strange"))) == "Odd: strange"


def test_a_disk_that_is_away_for_a_moment_is_asked_twice_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "PAUSES", (0.0, 0.0))
    tried = 0

    def work(code: int, times: int) -> int:
        nonlocal tried
        tried += 1
        if tried <= times:
            raise OSError(code, "said the system")
        return tried

    assert patient(lambda: work(errno.ESTALE, 2)) == 3
    for code, times, wanted in ((errno.EIO, 9, 3), (errno.ENOSPC, 1, 1)):
        tried = 0
        with pytest.raises(OSError, match="said the system"):
            patient(lambda code=code, times=times: work(code, times))  # type: ignore[misc]
        assert tried == wanted


def test_tasks_that_are_lost_are_cut_into_their_parts() -> None:
    images = Task("plan", "cases", case=3, count=2)
    assert [task.case for task in images.single()] == [3, 4]
    bands = Task("plan", "units", case=3, phase=1, first=8, count=3, thick=(16,))
    assert [(task.case, task.phase, task.first) for task in bands.single()] == [
        (3, 1, 8),
        (3, 1, 9),
        (3, 1, 10),
    ]
    assert {task.count for task in (*images.single(), *bands.single())} == {1}
