"""A pool of one: in which order tasks are begun and end; images are written one behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from lamina.errors import PartialError
from lamina.prediction.folder.predictions import Predictions
from lamina.prediction.predict_result import PredictResult
from lamina.prediction.run import predict
from lamina.prediction.workers.pools import ThisProcess
from lamina.prediction.workers.tasks import Outcome, Task
from lamina.prediction.workers.worker import Worker
from tests.prediction.workers.conftest import Inputs, contents


class Noting:
    """Notes which task is begun with which to follow, and when its outcome is asked for."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def overlaps(self, task: Task) -> bool:
        return task.part == "units"

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


MEMORY = 2**34
"""With a limit one answer is held at a time."""


def predicted(inputs: Inputs, out: Path, **options: Any) -> PredictResult:
    kinds = ("overlays", "objects", "native")
    found = [inputs.images / f"i{number}.png" for number in range(4)]
    return predict(
        [inputs.run], found, out, device="cpu", save=kinds, batch=3, progress=False, **options
    )


def test_an_image_is_predicted_while_the_one_before_is_written(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = [threading.Event() for _ in range(5)]  # set when the image with that number is answered
    threads, own_prob, own_write = set[int](), Worker._prob, Worker._write

    def prob(worker: Worker, number: int) -> NDArray[np.float32]:
        answer = own_prob(worker, number)
        after[number].set()
        return answer

    def write(worker: Worker, number: int, answer: NDArray[np.float32]) -> None:
        if number < 3:
            assert after[number + 1].wait(60)
            assert not after[number + 2].is_set()  # two answers are held, and no more
        threads.add(threading.get_ident())
        own_write(worker, number, answer)

    monkeypatch.setattr(Worker, "_prob", prob)
    monkeypatch.setattr(Worker, "_write", write)
    result = predicted(inputs, tmp_path / "ahead")
    assert (result.predicted, result.failed) == (4, ())
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    monkeypatch.undo()
    predicted(inputs, tmp_path / "one", memory=MEMORY)
    assert contents(tmp_path / "ahead") == contents(tmp_path / "one")


def test_with_a_limit_of_memory_one_answer_is_held(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "_image", lambda *_: pytest.fail("predicted ahead"))
    assert predicted(inputs, tmp_path / "pred", memory=MEMORY).predicted == 4


@pytest.mark.parametrize("part", ["_prob", "_write"])
def test_an_image_that_fails_stops_no_other(
    part: str, inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = getattr(Worker, part)

    def fails(worker: Worker, number: int, *answer: Any) -> Any:
        if number == 1:
            raise ValueError("of a library")
        return own(worker, number, *answer)

    monkeypatch.setattr(Worker, part, fails)
    with pytest.raises(PartialError) as caught:
        predicted(inputs, tmp_path / "pred")
    result = caught.value.result
    assert isinstance(result, PredictResult)
    assert (result.predicted, len(result.failed)) == (3, 1)
    assert Predictions.open(tmp_path / "pred").ids == ["i0", "i2", "i3"]
    monkeypatch.undo()
    again = predicted(inputs, tmp_path / "pred")
    assert (again.predicted, again.kept) == (1, 3)
    predicted(inputs, tmp_path / "one", memory=MEMORY)
    found, wanted = contents(tmp_path / "pred"), contents(tmp_path / "one")
    assert all(found[kind] == wanted[kind] for kind in ("probabilities", "masks", "objects"))


def test_what_interrupts_a_prediction_waits_for_files_that_are_written(
    inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Worker._prob

    def interrupted(worker: Worker, number: int) -> NDArray[np.float32]:
        if number == 2:
            raise KeyboardInterrupt
        return own(worker, number)

    monkeypatch.setattr(Worker, "_prob", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predicted(inputs, tmp_path / "pred")
    assert not list((tmp_path / "pred").rglob("*partial*"))
    monkeypatch.undo()
    result = predicted(inputs, tmp_path / "pred")
    assert result.kept >= 1
    assert result.kept + result.predicted == 4
    predicted(inputs, tmp_path / "one", memory=MEMORY)
    assert (
        contents(tmp_path / "pred")["probabilities"] == contents(tmp_path / "one")["probabilities"]
    )
