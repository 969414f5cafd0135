"""Processes of this machine that do tasks of any kind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import pytest

from lamina.prediction.workers.process_pool import ProcessPool, _Process


@dataclass(frozen=True)
class Numbers:
    """Numbers to square; the number 13 kills whoever squares it."""

    each: tuple[int, ...]

    def single(self) -> list[Numbers]:
        return [Numbers((number,)) for number in self.each]


def squares(task: Numbers) -> list[int | str]:
    if 13 in task.each:
        os.kill(os.getpid(), signal.SIGKILL)
    return [number**2 for number in task.each]


def why(task: Numbers, error: Exception) -> list[int | str]:
    return [str(error)]


def test_a_task_that_kills_its_workers_fails_and_its_other_parts_are_done() -> None:
    found = {}
    with ProcessPool(squares, why, [{}, {}], less="fewer numbers") as pool:
        for task in (Numbers((1, 13, 2)), Numbers((3,)), Numbers((4, 5))):
            pool.submit(task, "some numbers")
        while pool.busy:
            task, outcome = pool.next()
            found[task.each] = outcome
    (failed,) = found.pop((13,))
    assert "some numbers: 4 workers ended there without a word" in str(failed)
    assert str(failed).endswith("run the same command again with fewer numbers")
    assert found == {(1,): [1], (2,): [4], (3,): [9], (4, 5): [16, 25]}


def test_a_task_that_is_given_to_a_worker_after_its_death_is_lost_and_no_error() -> None:
    process, task = _Process(squares, {}, 1, "lamina.score"), Numbers((3,))
    process._start()
    assert process._pid is not None
    assert process._executor is not None
    os.kill(process._pid.result(60), signal.SIGKILL)
    with pytest.raises(BrokenProcessPool):
        process._executor.submit(time.sleep, 60).result(120)
    process.give(task)
    assert process.lose() == [task]


@dataclass(frozen=True)
class Write:
    """A file to write."""

    path: Path

    def single(self) -> list[Write]:
        return [self]


def written(task: Write) -> None:
    task.path.write_text("late")


def unwritten(task: Write, error: Exception) -> None:
    raise error


def test_a_worker_that_is_still_starting_ends_with_the_pool_and_does_nothing(
    tmp_path: Path,
) -> None:
    """Else it would write into a folder that is no longer locked."""
    path = tmp_path / "file"
    with ProcessPool(written, unwritten, [{}]) as pool:
        pool.submit(Write(path), "a file")
        starting = multiprocessing.active_children()
    assert starting
    deadline = time.monotonic() + 120
    for child in starting:
        child.join(deadline - time.monotonic())
        while child.exitcode is None and time.monotonic() < deadline:
            time.sleep(0.01)  # the pool's own thread took the code, and notes it next
        assert child.exitcode == -signal.SIGTERM
    assert not path.exists()
