"""Steps ask nothing of the device, and those that are not finite change nothing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lamina.task import Task
from lamina.training.devices.ranks import ALONE
from lamina.training.process_state import own_accelerator
from lamina.training.saving.state import Position
from lamina.training.stage import loop
from lamina.training.stage.context import StageState
from lamina.training.stage.ema import Average
from lamina.training.stage.loading.samples import Batch
from lamina.training.stage.steps.step import Step, seed_batch
from tests.factories.discs import quick

CPU = torch.device("cpu")


class NoWaiting(TorchDispatchMode):
    """Fails on whatever makes the host wait for the device."""

    WAITS = ("_local_scalar_dense", "nonzero", "item", "is_nonzero", "equal", "masked_select")

    def __torch_dispatch__(
        self, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operator.name().partition("::")[2].partition(".")[0]
        if name in self.WAITS:
            raise AssertionError(f"{name} waits for the device")
        return operator(*args, **(kwargs or {}))


def at_work(folder: Path, *changes: str, accelerator: Any) -> tuple[Any, StageState]:
    recipe = quick(folder, "train.ema={decay: 0.9}", *changes)
    stage = recipe.stages[0]
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Conv2d(4, 1, 1))
    optimizer = stage.optimizer.build(network)
    job = SimpleNamespace(
        recipe=recipe,
        title="fold 0",
        losses=(),
        task=Task(kind="binary"),
        accelerator=accelerator,
        ranks=ALONE,
    )
    average = None if stage.ema is None else Average(stage.ema, network)
    now = StageState(stage, network, optimizer, [1e-3], average, Position(), lambda: None, 600)
    return job, now


def some(number: int) -> Batch:
    chance = torch.Generator().manual_seed(number)
    image = torch.randn(3, 1, 8, 8, generator=chance)
    return Batch(image, (image > 0).float(), torch.ones(3, 1, 8, 8))


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("valid", ["all", "some"])
def test_five_steps_ask_nothing_of_the_device(tmp_path: Path, kind: str, valid: str) -> None:
    changes = (f"train.optimizer={{kind: {kind}}}", "train.clip_norm=1")
    with own_accelerator(CPU, None) as accelerator:
        job, now = at_work(tmp_path, *changes, accelerator=accelerator)
        batches = [some(number) for number in range(5)]
        if valid == "some":
            for batch in batches:
                batch.valid[:, :, :3] = 0
        with NoWaiting():
            for batch in batches:
                step = Step(job, now, 3, split=False)
                step.add(batch)
                step.take(10)
        with pytest.raises(AssertionError, match="waits for the device"), NoWaiting():
            float(next(now.network.parameters()).sum())  # the check itself works
        assert loop.look(job, now) > 0
    assert (now.position.step, now.position.skipped) == (5, 0)


@pytest.mark.parametrize("kind", ["sgd", "adam", "adamw", "radam"])
def test_a_step_that_is_not_finite_changes_neither_weights_nor_state_nor_average(
    tmp_path: Path, kind: str
) -> None:
    """N01, by a flag on the device; then as if it had never been."""
    with own_accelerator(CPU, None) as accelerator:
        pair = [
            at_work(tmp_path, f"train.optimizer={{kind: {kind}}}", accelerator=accelerator)
            for _ in range(2)
        ]
        broken = Batch(torch.full((3, 1, 8, 8), torch.nan), *(torch.zeros(3, 1, 8, 8),) * 2)
        for (job, now), numbers in zip(pair, ([0, None, 1], [0, 1]), strict=True):
            for number in numbers:
                now.network.eval()  # else the statistics of the norm are spoilt as well
                step = Step(job, now, 3, split=False)
                step.add(broken if number is None else some(number))
                step.take(10)
            loop.look(job, now)
    (_, spoilt), (_, plain) = pair
    for name, value in plain.network.state_dict().items():
        assert torch.equal(spoilt.network.state_dict()[name], value), name
    assert plain.average is not None
    assert spoilt.average is not None
    for name, value in plain.average.tensors.items():
        assert torch.equal(spoilt.average.tensors[name], value), name
    assert (spoilt.average.steps, spoilt.position.skipped) == (2, 1)
    assert spoilt.position.sums == plain.position.sums


def test_each_batch_has_its_own_chance() -> None:
    found = []
    for number in (0, 1, 0):
        seed_batch(3, "main", 2, number)
        found.append(torch.rand(4))
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0], found[1])
