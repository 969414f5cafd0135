"""Samples depend on what they are called, not on who makes them."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
import torch

from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.training.stage.loader import Epoch, batches, epoch_of, too_many_workers
from tests.factories.discs import discs, quick
from tests.factories.training import tiny


def an_epoch(folder: Path, epoch: int) -> Epoch:
    recipe = tiny(folder, "transforms.flip.p=1", "train.sampler={kind: random_crop, focus: 0.5}")
    opened = open_data(recipe, folder)
    cases = recipe.frame.planes(opened.training(0))
    normalise = recipe.frame.normalise.fit(cases)
    return epoch_of(opened.recipe, opened.task, cases, normalise, recipe.stages[0], epoch)


def test_the_number_of_workers_changes_nothing(tmp_path: Path) -> None:
    """N04: batches are equal for 0 and 2 loader processes."""
    epoch = an_epoch(tmp_path, 0)
    groups = [[0, 1, 2], [3, 4], [5]]
    alone = list(batches(epoch, groups, workers=0))
    helped = list(batches(epoch, groups, workers=2))
    assert [len(batch.image) for batch in alone] == [3, 2, 1]
    for a, b in zip(alone, helped, strict=True):
        assert torch.equal(a.image, b.image)
        assert torch.equal(a.target, b.target)
        assert torch.equal(a.valid, b.valid)


def test_going_on_in_the_middle_gives_the_same_batches(tmp_path: Path) -> None:
    groups = [[0, 1], [2, 3], [4, 5]]
    whole = list(batches(an_epoch(tmp_path, 1), groups, workers=0))
    rest = list(batches(an_epoch(tmp_path, 1), groups[1:], workers=0))
    for a, b in zip(whole[1:], rest, strict=True):
        assert torch.equal(a.image, b.image)


def test_another_epoch_draws_anew(tmp_path: Path) -> None:
    first, second = an_epoch(tmp_path, 0), an_epoch(tmp_path, 1)
    assert [draw.region for draw in first.draws] != [draw.region for draw in second.draws]


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
