"""Samples depend on what they are called, not on who makes them."""

from __future__ import annotations

import os
import signal
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from numpy.typing import NDArray

from lamina.errors import DataError, ResourceError
from lamina.geometry.region import Region
from lamina.training.dataset import open_data
from lamina.training.run import train
from lamina.training.stage import loader
from lamina.training.stage.loader import Epoch, batches, epoch_of, too_many_workers
from lamina.volume import Volume
from tests.factories.discs import discs, quick
from tests.factories.training import tiny


def an_epoch(folder: Path, epoch: int) -> Epoch:
    recipe = tiny(folder, "transforms.flip.p=1", "train.sampler={kind: random_crop, focus: 0.5}")
    opened = open_data(recipe, folder)
    cases = recipe.frame.cases(opened.training(0))
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


@dataclass(frozen=True)
class Odd:
    """An image that, the first time or always, kills or stops the process that reads it."""

    image: Volume
    what: str
    mark: Path

    @property
    def name(self) -> str:
        return "odd.png"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "image"), name)

    def read(self, region: Region) -> NDArray[Any]:
        once = "once" in self.what and self.mark.exists()
        if not once:
            self.mark.touch()
            if "kill" in self.what:
                os.kill(os.getpid(), signal.SIGKILL)
            elif "wait" in self.what:
                time.sleep(600)
            elif "refuse" in self.what:
                raise DataError("odd.png: is cut off; copy it again")
            elif "mistake" in self.what:
                raise ZeroDivisionError("a mistake")
        return self.image.read(region)


def with_odd(folder: Path, what: str) -> tuple[Epoch, list[list[int]], int]:
    """Return an epoch, groups of two samples, and the number of the batch with the odd image."""
    epoch = an_epoch(folder, 0)
    case = epoch.draws[5].case
    cases = [
        replace(one, image=Odd(one.image, what, folder / "mark")) if n == case else one
        for n, one in enumerate(epoch.cases)
    ]
    first = next(n for n, draw in enumerate(epoch.draws) if draw.case == case)
    return replace(epoch, cases=cases), [[0, 1], [2, 3], [4, 5]], first // 2


def test_trust_9_a_killed_loader_process_is_replaced_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """TRUST-9, M06: the image and the likely reason are said; the batches are the same."""
    plain = list(batches(an_epoch(tmp_path, 0), [[0, 1], [2, 3], [4, 5]], workers=0))
    epoch, groups, _ = with_odd(tmp_path, "kill once")
    told: list[int] = []
    helped = list(batches(epoch, groups, workers=2, fewer=told.append))
    assert told == [1]
    assert len(helped) == len(plain)
    for a, b in zip(plain, helped, strict=True):
        assert torch.equal(a.image, b.image)
    said = capsys.readouterr().err
    assert "a loader process was killed while it read odd.png, most likely because" in said
    assert "going on with 1 loader processes" in said


@pytest.mark.slow
def test_trust_9_killed_again_it_is_an_error_of_resources(tmp_path: Path) -> None:
    """TRUST-9, M06: exit 6 with the image and what to do, never the library's traceback."""
    epoch, groups, _ = with_odd(tmp_path, "kill")
    told: list[int] = []
    wanted = r"while it read odd\.png.*--workers \(0: none\)"
    with pytest.raises(ResourceError, match=wanted) as caught:
        list(batches(epoch, groups, workers=2, fewer=told.append))
    assert told == [1]
    assert caught.value.exit_code == 6


@pytest.mark.slow
def test_m07_a_loader_process_that_hangs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M07: after some patience the image is said; the training can be resumed without it."""
    monkeypatch.setattr(loader, "PATIENCE", 4)
    epoch, groups, _ = with_odd(tmp_path, "wait")
    with pytest.raises(ResourceError, match=r"has answered for 4 s while it read .*odd\.png"):
        list(batches(epoch, groups, workers=1, fewer=lambda _: None))


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
