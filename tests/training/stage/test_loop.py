"""Batches are mixed by what they are called, whoever made them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from lamina.errors import LaminaError, RecipeError
from lamina.training.dataset import open_data
from lamina.training.devices.ranks import Ranks
from lamina.training.run import train
from lamina.training.saving.state import Position
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loading.loader import batches
from lamina.training.stage.loading.samples import Batch, epoch_of
from lamina.training.stage.loop import _over, mix_batch, refuse_without_steps
from lamina.training.stage.signals import Stop
from tests.factories.discs import discs, quick
from tests.factories.ranks import on_ranks
from tests.factories.training import tiny

WITHOUT_STEPS = (
    r"fold 0, stage main, epoch \d: not one step of the epoch was finite \(loss (nan|inf|-inf)"
)
MIX = "train.mix=[{kind: cutmix, p: 0.8}, {kind: mixup, p: 0.5}, {kind: copy_paste, p: 0.5}]"


def test_the_number_of_workers_changes_nothing_and_neither_does_going_on(tmp_path: Path) -> None:
    """N04.

    Issue 7: mixed batches are equal for 0 and 2 loader processes, and after an interruption."""
    recipe = tiny(tmp_path, MIX)
    opened, stage = open_data(recipe, tmp_path), recipe.stages[0]
    cases = recipe.frame.cases(opened.training(0))
    normalise = recipe.frame.normalise.fit(cases)
    epoch = epoch_of(opened.recipe, opened.task, cases, normalise, stage, 1)
    job = cast("FoldContext", SimpleNamespace(recipe=opened.recipe, task=opened.task))
    groups = [[0, 1, 2], [3, 4, 5], [1, 3]]

    def run(begin: int, workers: int) -> list[Batch]:
        made = enumerate(batches(epoch, groups[begin:], workers=workers), begin)
        return [mix_batch(job, stage, Position(epoch=1, batch=n), one) for n, one in made]

    alone, helped, later = run(0, 0), run(0, 2), run(2, 0)
    for a, b in zip([*alone, alone[2]], [*helped, *later], strict=True):
        for name in ("image", "target", "valid"):
            assert torch.equal(getattr(a, name), getattr(b, name))
    plain = list(batches(epoch, groups, workers=0))
    assert not any(torch.equal(a.image, b.image) for a, b in zip(alone, plain, strict=True))


def test_without_an_option_a_batch_is_left_alone(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)
    batch = Batch(*(torch.zeros(2, 1, 4, 4) for _ in range(3)))
    job: Any = SimpleNamespace(recipe=recipe)
    assert mix_batch(job, recipe.stages[0], Position(), batch) is batch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((MIX, "train.batch=1"), "batch is 1; set it to 2 or more"),
        (
            (MIX, "task={kind: restore}", "loss=[{kind: mse}]", "monitor={kind: psnr}"),
            "mix has copy_paste, which is for masks",
        ),
    ],
)
def test_what_cannot_be_mixed_is_refused(
    tmp_path: Path, changes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny(tmp_path, *changes)


def test_work_14_a_stage_without_one_finite_step_in_an_epoch_ends_with_the_reason(
    tmp_path: Path,
) -> None:
    """N01: a rate of 1e6 spoils the weights at once: the run is refused, and no bundle is left."""
    data = discs(tmp_path / "data")
    recipe = quick(
        tmp_path,
        "train.epochs=3",
        "train.optimizer={kind: sgd, lr: 1e38}",
        "train.schedule={kind: constant}",
        "train.clip_norm=null",
    )
    with pytest.raises(LaminaError, match=WITHOUT_STEPS) as caught:
        train(recipe, data=data, out=tmp_path / "run")
    assert caught.value.exit_code == 1
    assert not (tmp_path / "run" / "bundle").exists()


def test_work_14_the_remedy_of_the_message_works(tmp_path: Path) -> None:
    data = discs(tmp_path / "data")
    bad = ("train.epochs=3", "train.schedule={kind: constant}", "train.clip_norm=null")
    high = quick(tmp_path, *bad, "train.optimizer={kind: sgd, lr: 1e38}")
    with pytest.raises(LaminaError, match=r"lower stages\.main\.optimizer\.lr"):
        train(high, data=data, out=tmp_path / "run")
    lower = (*bad, "train.optimizer={kind: sgd, lr: 1e38}", "stages.main.optimizer.lr=1e-3")
    assert train(quick(tmp_path, *lower), data=data, out=tmp_path / "other").folds


def test_a_single_finite_step_is_enough_for_an_epoch(tmp_path: Path) -> None:
    """WORK-14: an epoch of which one sample was learnt counts, one of none does not."""
    job: Any = SimpleNamespace(title="fold 0")
    stage = tiny(tmp_path).stages[0]
    some = Position(skipped=9, sums={"samples": 1.0, "loss": 2.0})
    refuse_without_steps(job, cast("StageState", SimpleNamespace(stage=stage, position=some)))
    none: Any = SimpleNamespace(stage=stage, position=Position(skipped=10), why="loss nan")
    with pytest.raises(LaminaError, match=r"epoch 1: not one step of the epoch was finite \(loss"):
        refuse_without_steps(job, none)


def _agreed(ranks: Ranks) -> list[float]:
    """The share of the time as this rank knows it after each of three steps of two epochs."""
    time_used: Any = SimpleNamespace(share=lambda: 0.5, over=lambda: False)
    now: Any = SimpleNamespace(time=time_used, agreed=0.0, due=False)
    job: Any = SimpleNamespace(ranks=ranks, stop=Stop())
    found = []
    for _ in range(2):
        for _ in range(3):
            assert not _over(job, now)
            found.append(now.agreed)
        ranks.settle()
    return found


@pytest.mark.slow
def test_ranks_keep_the_share_of_the_time_from_one_epoch_to_the_next(tmp_path: Path) -> None:
    """Else the learning rate would jump back for a step of each epoch."""
    assert on_ranks(2, tmp_path, _agreed) == [[0.0, *[0.5] * 5]] * 2
