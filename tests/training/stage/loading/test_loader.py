"""Batches depend on what samples are called, not on who makes them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
import torch

from lamina.errors import DataError, ResourceError
from lamina.training.run import train
from lamina.training.stage.loading.loader import BatchLoader, batches, too_many_workers
from lamina.training.stage.loading.samples import Batch
from tests.factories.discs import discs, quick
from tests.factories.epochs import an_epoch, stage_data, with_odd


def assert_same(first: list[Batch], second: list[Batch]) -> None:
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.image, b.image)
        assert torch.equal(a.target, b.target)
        assert torch.equal(a.valid, b.valid)


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    """N04: batches are equal for 0 and 2 loader processes, which go on from epoch to epoch."""
    data = stage_data(tmp_path)
    groups = [[0, 1, 2], [3, 4], [5]]
    loaders = [BatchLoader(0), BatchLoader(2)]
    for number in (0, 1):
        alone, helped = (list(one.batches(data.epoch(number), groups)) for one in loaders)
        assert [len(batch.image) for batch in alone] == [3, 2, 1]
        assert_same(alone, helped)
    assert_same(alone, list(batches(data.epoch(1), groups, workers=0)))


def test_going_on_in_the_middle_gives_the_same_batches(tmp_path: Path) -> None:
    groups = [[0, 1], [2, 3], [4, 5]]
    whole = list(batches(an_epoch(tmp_path, 1), groups, workers=0))
    rest = list(batches(an_epoch(tmp_path, 1), groups[1:], workers=0))
    for a, b in zip(whole[1:], rest, strict=True):
        assert torch.equal(a.image, b.image)


def test_work_21_more_workers_than_cores_are_told_in_one_line_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert cores is not None
    assert (too_many_workers(None), too_many_workers(0), too_many_workers(cores)) == ("", "", "")
    data, changes = discs(tmp_path / "data", count=4), ("train.epochs=2", "train.batch=1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(quick(tmp_path, *changes), data=data, out=tmp_path / "run", workers=cores + 1)
    said = capsys.readouterr().err
    assert said.count(f"--workers {cores + 1}: more loader processes than the {cores} cores") == 1
    assert "DataLoader" not in said


def test_trust_9_a_killed_loader_process_is_replaced_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRUST-9, M06: the image and the likely reason are said; the batches are the same."""
    plain = list(batches(an_epoch(tmp_path, 0), [[0, 1], [2, 3], [4, 5]], workers=0))
    epoch, groups, _ = with_odd(tmp_path, "kill once")
    assert_same(plain, list(BatchLoader(2).batches(epoch, groups)))
    said = capsys.readouterr().err
    assert "a loader process was killed while it read odd.png, most likely because" in said
    assert "going on with 1 loader processes" in said


@pytest.mark.slow
def test_trust_9_killed_again_it_is_an_error_of_resources(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRUST-9, M06: exit 6 with the image and what to do, never the library's traceback."""
    epoch, groups, _ = with_odd(tmp_path, "kill")
    wanted = r"while it read odd\.png.*--workers \(0: none\)"
    with pytest.raises(ResourceError, match=wanted) as caught:
        list(BatchLoader(2).batches(epoch, groups))
    assert caught.value.exit_code == 6
    assert capsys.readouterr().err.count("going on with 1 loader processes") == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_trust_9_what_an_image_says_is_not_wrapped_by_the_loader(
    tmp_path: Path, workers: int
) -> None:
    """R8: the first line is the image's own, from a loader process as from this one."""
    epoch, groups, _ = with_odd(tmp_path, "refuse")
    with pytest.raises(DataError, match=r"^odd\.png: is cut off; copy it again$"):
        list(batches(epoch, groups, workers=workers))
    epoch, groups, _ = with_odd(tmp_path, "mistake")
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        list(batches(epoch, groups, workers=workers))
