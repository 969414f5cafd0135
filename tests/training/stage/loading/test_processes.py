"""Loader processes live as long as their stage, and no longer than who started them."""

from __future__ import annotations

import os
import pickle
import signal
import time
from pathlib import Path

import pytest
import torch

from lamina.errors import ResourceError
from lamina.training.stage.loading import processes
from lamina.training.stage.loading.loader import batches
from lamina.training.stage.loading.processes import LoaderProcesses, WorkerError
from tests.factories.epochs import stage_data, with_odd

GROUPS = [[0, 1], [2, 3], [4, 5]]


def pids(made: LoaderProcesses) -> list[int]:
    return list(made._doing[::2])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_they_stay_from_epoch_to_epoch_and_end_when_they_are_let_go(tmp_path: Path) -> None:
    data, made = stage_data(tmp_path), LoaderProcesses(2)
    seen = []
    for number in (0, 1):
        epoch = data.epoch(number)
        helped = list(made.batches(epoch, GROUPS))
        for a, b in zip(helped, batches(epoch, GROUPS, workers=0), strict=True):
            assert torch.equal(a.image, b.image)
        seen.append(pids(made))
    assert seen[0] == seen[1]
    assert all(map(is_alive, seen[0]))
    del made
    patience = time.monotonic() + 20
    while any(map(is_alive, seen[0])):
        assert time.monotonic() < patience
        time.sleep(0.05)


def test_an_epoch_that_is_left_does_not_reach_into_the_next(tmp_path: Path) -> None:
    data, made = stage_data(tmp_path), LoaderProcesses(1)
    next(made.batches(data.epoch(0), GROUPS))
    epoch = data.epoch(1)
    for a, b in zip(made.batches(epoch, GROUPS), batches(epoch, GROUPS, workers=0), strict=True):
        assert torch.equal(a.image, b.image)


@pytest.mark.slow
def test_one_killed_between_two_epochs_is_told(tmp_path: Path) -> None:
    data, made = stage_data(tmp_path), LoaderProcesses(1)
    list(made.batches(data.epoch(0), GROUPS))
    os.kill(pids(made)[0], signal.SIGKILL)
    with pytest.raises(WorkerError, match="was killed between two images"):
        list(made.batches(data.epoch(1), GROUPS))


def test_an_epoch_costs_a_loader_process_its_draws_alone(tmp_path: Path) -> None:
    """What is sent for a batch does not hold the cases, however many there are."""
    epoch = stage_data(tmp_path).epoch(0)
    requests = [epoch.request(index) for index in range(len(epoch))]
    assert len(pickle.dumps(requests)) < 200 * len(requests)
    assert epoch.samples is not None


@pytest.mark.slow
def test_m07_a_loader_process_that_hangs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M07: after some patience the image is said; the training can be resumed without it."""
    monkeypatch.setattr(processes, "PATIENCE", 4)
    epoch, groups, _ = with_odd(tmp_path, "wait")
    with pytest.raises(ResourceError, match=r"has answered for 4 s while it read .*odd\.png"):
        list(batches(epoch, groups, workers=1))
