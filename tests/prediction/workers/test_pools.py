"""A pool of one: in which order tasks are begun, and their outcomes asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from lamina.prediction.workers.pools import ThisProcess
from lamina.prediction.workers.tasks import Outcome, Task
from lamina.prediction.workers.worker import Worker


class Noting:
    """Notes which task is begun with which to follow, and when its outcome is asked for."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def begun(self, task: Task, after: Task | None = None) -> Callable[[], Outcome]:
        self.said.append(f"{task.first}, then {after.first if after else None}")

        def ended() -> Outcome:
            self.said.append(f"{task.first} ended")
            return Outcome()

        return ended


def drained(tasks: list[Task]) -> list[str]:
    worker = Noting()
    pool = ThisProcess(cast("Worker", worker))
    left, done = list(tasks), list[int]()
    while True:
        while pool.free and left:
            pool.submit(left.pop(0), "")
        if not pool.busy:
            break
        done.append(pool.next()[0].first)
    assert done == [task.first for task in tasks]
    return worker.said


def some(part: Any, count: int) -> list[Task]:
    return [Task("plan", part, 0, first=first) for first in range(count)]


def test_units_are_read_one_ahead_and_end_one_behind() -> None:
    assert drained(some("units", 4)) == [
        "0, then 1",
        "1, then 2",
        "0 ended",
        "2, then 3",
        "1 ended",
        "3, then None",
        "2 ended",
        "3 ended",
    ]


@pytest.mark.parametrize("part", ["cases", "finish"])
def test_other_tasks_end_before_the_next_begins(part: str) -> None:
    said = drained(some(part, 3))
    assert [one.partition(",")[0] for one in said] == [
        *("0", "0 ended"),
        *("1", "1 ended"),
        *("2", "2 ended"),
    ]
