"""A worker in a process of its own: which predictions it takes part in."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lamina.bundle import load_bundles
from lamina.errors import BundleError, DataError, LaminaError, RecipeError
from lamina.prediction.run import predict
from lamina.prediction.workers import worker
from lamina.prediction.workers.pool_of import Processes
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Setup, Task
from lamina.prediction.workers.worker import PAUSES, Worker, open_worker
from tests.prediction.workers.conftest import Inputs


class Begun(Exception):
    """Holds what workers begin with."""


@pytest.fixture
def setup(inputs: Inputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """What workers of a prediction begin with that stopped before its first task."""

    def pool(processes: Processes, schedule: Schedule, setup: Setup) -> None:
        raise Begun(setup)

    monkeypatch.setattr(Processes, "pool", pool)
    with pytest.raises(Begun) as caught:
        predict(inputs.run, inputs.images, tmp_path, device="cpu", workers=2, progress=False)
    found: Setup = caught.value.args[0]
    return found


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"plan": "another"}, DataError, "holds another prediction now"),
        ({"sources": ("gone",)}, BundleError, "gone"),
    ],
)
def test_another_prediction_and_no_bundle_are_refused(
    setup: Setup, change: dict[str, object], kind: type[LaminaError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        open_worker(replace(setup, **change))  # type: ignore[arg-type]


def test_a_disk_that_is_busy_at_first_is_asked_again(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def busy(*arguments: Any, **options: Any) -> Any:
        if not waits:
            raise OSError(errno.ESTALE, "Stale file handle")
        return load_bundles(*arguments, **options)

    monkeypatch.setattr(worker, "load_bundles", busy)
    monkeypatch.setattr(worker.time, "sleep", waits.append)
    assert isinstance(open_worker(setup), Worker)
    assert waits == [PAUSES[0]]


def test_another_bundle_by_now_is_refused(setup: Setup, make: Any, tmp_path: Path) -> None:
    make.bundle(seed=7).save(tmp_path / "other")
    with pytest.raises(BundleError, match="changed since the prediction began, or differs on this"):
        open_worker(replace(setup, sources=(str(tmp_path / "other"),)))


@pytest.mark.parametrize(
    ("name", "found", "said"),
    [
        ("versions", {"torch": "1.0"}, "has other versions of lamina or its libraries"),
        ("device_kind", "GPU of tomorrow", "predicts on GPU of tomorrow, and the prediction began"),
    ],
)
def test_a_worker_with_other_libraries_or_another_device_is_refused(
    setup: Setup, name: str, found: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, name, lambda *_: found)
    with pytest.raises(RecipeError, match=said):
        open_worker(setup)


def test_a_task_without_its_work_writes_nothing(setup: Setup) -> None:
    """As by a worker that was paused until the case was finished by others."""
    from lamina.prediction.folder.predictions import Predictions

    predictions = Predictions.open(setup.out)
    number = [case.id for case in predictions.info.cases].index("v")
    before = {path for path in Path(setup.out).rglob("*") if path.is_file()}
    task = Task(setup.plan, "units", number, thick=(64, 20))
    outcome = open_worker(setup).do(task)
    assert outcome.digests == ()
    with pytest.raises(DataError, match="was finished or removed meanwhile"):
        outcome.failures[number].raised()
    assert {path for path in Path(setup.out).rglob("*") if path.is_file()} == before
    assert not (Path(setup.out) / "work").exists()
