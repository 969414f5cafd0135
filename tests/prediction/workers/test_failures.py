"""What goes wrong while workers predict: the source, the store, the disk, a process."""

from __future__ import annotations

import errno
import multiprocessing
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamina.errors import PartialError, ResourceError
from lamina.prediction.run import predict
from lamina.prediction.streaming import zarr_store
from lamina.prediction.workers import process_pool
from lamina.prediction.workers.schedule import Schedule
from lamina.prediction.workers.tasks import Outcome, Task
from tests.factories.processes import PROCESSES
from tests.prediction.workers.conftest import Inputs, contents
from tests.prediction.workers.test_local_pool import kill_at

pytestmark = pytest.mark.usefixtures("thin", "one_thread")


def after_units(monkeypatch: pytest.MonkeyPatch, count: int, act: Callable[[], object]) -> None:
    """Act once, when so many units of volumes are noted."""
    noted, left = Schedule.done, [count]

    def done(schedule: Schedule, task: Task, outcome: Outcome) -> None:
        noted(schedule, task, outcome)
        left[0] -= task.part == "units"
        if left[0] == 0:
            left[0] = -1
            act()

    monkeypatch.setattr(Schedule, "done", done)


@pytest.fixture
def images(inputs: Inputs, tmp_path: Path) -> Path:
    """A volume and an image that a test may change."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("v.npy", "i0.png"):
        shutil.copy(inputs.images / name, folder)
    return folder


def predicted(
    inputs: Inputs, images: Path, out: Path, workers: int | None = None
) -> dict[str, Any]:
    """Predict, and return the digests; ledgers keep lines that later ones replace."""
    predict(inputs.run, images, out, device="cpu", workers=workers, progress=False)
    return {kind: found for kind, found in contents(out).items() if kind != "rows"}


@pytest.fixture(scope="module")
def alone(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the images come to, as they are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lamina.prediction.streaming.slabs.THICKEST", 16)
        return predicted(inputs, inputs.images, tmp_path_factory.mktemp("alone"))


SLOW = pytest.mark.slow


@pytest.mark.parametrize("units", [3, pytest.param(5, marks=SLOW), pytest.param(6, marks=SLOW)])
def test_a_source_that_changes_between_blocks_is_refused_and_predicted_anew(
    inputs: Inputs, images: Path, tmp_path: Path, units: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of five slabs along z and two along y; values alone change, by a program that renames."""
    other = np.random.default_rng(1).integers(0, 256, (70, 20, 20), np.uint8)
    np.save(tmp_path / "other.npy", other)
    with monkeypatch.context() as patch:
        after_units(patch, units, lambda: (tmp_path / "other.npy").replace(images / "v.npy"))
        with pytest.raises(PartialError, match=r"v\.npy: changed while in use") as caught:
            predicted(inputs, images, tmp_path / "pred")
    assert caught.value.result is not None
    assert caught.value.result.predicted == 1
    found = predicted(inputs, images, tmp_path / "pred")
    assert found["probabilities"] == predicted(inputs, images, tmp_path / "new")["probabilities"]


def test_an_image_that_changes_before_it_is_noted_is_refused(
    inputs: Inputs, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = Schedule.done
    (images / "v.npy").unlink()
    shutil.copy(images / "i0.png", images / "i2.png")

    def done(schedule: Schedule, task: Task, outcome: Outcome) -> None:
        if task.part == "cases" and task.case == 0:
            shutil.copy(inputs.images / "i1.png", images / "i0.png")
        noted(schedule, task, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "done", done)
        with pytest.raises(PartialError, match=r"i0\.png: changed while in use"):
            predicted(inputs, images, tmp_path / "pred")
    assert predicted(inputs, images, tmp_path / "pred") == predicted(
        inputs, images, tmp_path / "new"
    )


@pytest.mark.parametrize("units", [5, pytest.param(3, marks=pytest.mark.slow)])
def test_a_store_that_is_deleted_meanwhile_is_told_and_made_anew(
    inputs: Inputs,
    alone: dict[str, Any],
    tmp_path: Path,
    units: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        after_units(patch, units, lambda: shutil.rmtree(tmp_path / "probabilities" / "v.zarr"))
        with pytest.raises(PartialError, match=r"v\.zarr: not readable as a Zarr array; run the"):
            predicted(inputs, inputs.images, tmp_path)
    assert predicted(inputs, inputs.images, tmp_path) == alone


def test_a_disk_that_is_full_ends_the_prediction_which_goes_on(
    inputs: Inputs, alone: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replacing, left = zarr_store.replacing, [2]

    def full(path: Path, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise ResourceError("the disk is full") from OSError(errno.ENOSPC, "no space")
        return replacing(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(zarr_store, "replacing", full)
        with pytest.raises(ResourceError, match="the disk is full"):
            predicted(inputs, inputs.images, tmp_path)
    assert predicted(inputs, inputs.images, tmp_path) == alone


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real worker processes, forked from a server that has imported everything."""
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: PROCESSES)


@pytest.mark.usefixtures("forked")
def test_a_source_that_changes_while_processes_predict_is_refused(
    inputs: Inputs, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = np.random.default_rng(1).integers(0, 256, (70, 20, 20), np.uint8)
    np.save(tmp_path / "other.npy", other)
    with monkeypatch.context() as patch:
        after_units(patch, 3, lambda: (tmp_path / "other.npy").replace(images / "v.npy"))
        with pytest.raises(PartialError, match=r"v\.npy: changed while in use"):
            predicted(inputs, images, tmp_path / "pred", workers=2)
    assert predicted(inputs, images, tmp_path / "pred", workers=2) == predicted(
        inputs, images, tmp_path / "new"
    )


@pytest.mark.usefixtures("forked")
def test_a_store_that_is_deleted_while_processes_predict_is_made_anew(
    inputs: Inputs, alone: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        after_units(patch, 5, lambda: shutil.rmtree(tmp_path / "probabilities" / "v.zarr"))
        with pytest.raises(PartialError, match=r"v\.zarr: .*run the same predict again"):
            predicted(inputs, inputs.images, tmp_path, workers=2)
    assert predicted(inputs, inputs.images, tmp_path, workers=2) == alone


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's prlimit")
@pytest.mark.usefixtures("forked")
def test_a_process_that_can_write_no_more_ends_the_prediction_which_goes_on(
    inputs: Inputs, alone: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system refuses what one of two workers writes, as on a machine whose disk is full."""
    noted = Schedule.done

    def done(schedule: Schedule, task: Task, outcome: Outcome) -> None:
        noted(schedule, task, outcome)
        pid = int(outcome.worker.partition(":")[2])
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))

    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "done", done)
        with pytest.raises(ResourceError, match=r"is larger than files may be here"):
            predicted(inputs, inputs.images, tmp_path, workers=2)
    assert predicted(inputs, inputs.images, tmp_path, workers=2) == alone


@pytest.mark.usefixtures("forked")
def test_N09_a_killed_worker_costs_what_it_was_at_and_no_byte(
    inputs: Inputs, alone: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[list[Task]] = []
    lose = process_pool._Process.lose

    def noted(process: process_pool._Process[Task, Outcome]) -> list[Task]:
        lost.append(lose(process))
        return lost[-1]

    monkeypatch.setattr(process_pool._Process, "lose", noted)
    names = kill_at(monkeypatch, 3)
    found = predict(inputs.run, inputs.images, tmp_path, device="cpu", workers=2, progress=False)
    assert found.predicted == 5
    assert {kind: value for kind, value in contents(tmp_path).items() if kind in alone} == alone
    assert len(set(names)) == 3  # two, and one in place of the killed one
    assert len(lost) == 1
    assert 1 <= len(lost[0]) <= 2  # what it was at, and what waited for it
