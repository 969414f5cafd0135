"""Training as the ink pipeline had it: steps, what is skipped, and what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from lamina.bundle import Bundle
from lamina.data.case import Case
from lamina.errors import LaminaError
from lamina.recipe.recipe import Recipe
from lamina.seeding import rng
from lamina.task import Task
from lamina.training.devices.ranks import ALONE
from lamina.training.run import train
from lamina.training.saving.state import Position
from lamina.training.stage import loop
from lamina.training.stage.context import StageState
from lamina.training.stage.loading.samples import Batch
from lamina.training.stage.steps.step import Step
from lamina.training.stage.validate import Trial
from lamina.volume import ArrayVolume
from tests.factories.training import tiny

INK = (
    "task={kind: binary}",
    "loss=[{kind: bce, positive_weight: 0.5, outside: count}]",
    "monitor={kind: f_beta, beta: 0.5, over: pooled}",
    "train.batch=3",
    "train.accumulate=3",
    "train.clip_norm=5",
    "train.optimizer={kind: adamw, lr: 1e-4, weight_decay: 1e-6, eps: 1e-8}",
    "train.ema=null",
)


class Processor(SimpleNamespace):
    """The least that a step asks of an accelerator."""

    device, scaler = torch.device("cpu"), None

    def autocast(self) -> Any:
        return torch.autocast("cpu", enabled=False)


def at_work(recipe: Recipe) -> tuple[Any, StageState]:
    job = SimpleNamespace(
        recipe=recipe,
        title="fold 0",
        losses=(),
        task=Task(kind="binary"),
        accelerator=Processor(),
        ranks=ALONE,
    )
    torch.manual_seed(0)
    network, stage = nn.Conv2d(1, 1, 3, padding=1), recipe.stages[0]
    optimizer = stage.optimizer.build(network)
    return job, StageState(
        stage, network, optimizer, [1e-4, 1e-4], None, Position(), lambda: None, 600
    )


def take(job: Any, now: StageState, pending: list[Batch]) -> None:
    """Take a step over batches, and look at what it came to."""
    step = Step(job, now, sum(len(batch.image) for batch in pending), split=False)
    for batch in pending:
        step.add(batch)
    step.take(3)
    loop.look(job, now)


def some(number: int, *, scale: float = 1.0) -> Batch:
    chance = torch.Generator().manual_seed(number)
    image = scale * torch.randn(3, 1, 8, 8, generator=chance)
    target = torch.randint(0, 2, (3, 1, 8, 8), generator=chance).float()
    return Batch(image, target, (torch.rand(3, 1, 8, 8, generator=chance) < 0.5).float())


def test_three_batches_of_three_make_one_step_of_torchs_adamw_with_a_clipped_gradient(
    tmp_path: Path,
) -> None:
    """INK-19: AdamW 1e-4, decay 1e-6, eps 1e-8; batch 3, accumulation 3, norm 5. INK-18: the loss.

    The gradient is that of the mean over all elements of nine samples.
    """
    job, now = at_work(tiny(tmp_path, *INK))
    twin = nn.Conv2d(1, 1, 3, padding=1)
    twin.load_state_dict(now.network.state_dict())
    reference = torch.optim.AdamW(twin.parameters(), lr=1e-4, weight_decay=1e-6, eps=1e-8)
    for step in range(3):
        pending = [some(10 * step + n, scale=30.0) for n in range(3)]
        take(job, now, pending)
        image = torch.cat([batch.image for batch in pending])
        target = torch.cat([batch.target for batch in pending])
        weight = torch.where(target == 1, 0.5, 1.0)
        functional.binary_cross_entropy_with_logits(twin(image), target, weight=weight).backward()
        norm = nn.utils.clip_grad_norm_(twin.parameters(), 5.0)
        reference.step()
        reference.zero_grad()
        if step == 0:
            assert norm > 5  # the limit matters
    for mine, theirs in zip(now.network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_a_loss_that_is_not_a_number_changes_nothing_and_many_end_the_training(
    tmp_path: Path,
) -> None:
    """N01; INK-19: a nan loss is skipped; here with the step that it belongs to."""
    job, now = at_work(tiny(tmp_path, *INK))
    broken = Batch(torch.full((3, 1, 8, 8), torch.nan), *(torch.zeros(3, 1, 8, 8),) * 2)
    before = {name: value.clone() for name, value in now.network.state_dict().items()}
    take(job, now, [some(0), broken, some(1)])
    assert now.position.skipped == 1
    assert all(torch.equal(v, before[k]) for k, v in now.network.state_dict().items())
    take(job, now, [some(0), some(1)])
    assert now.position.skipped == 1
    assert not torch.equal(now.network.state_dict()["weight"], before["weight"])
    for _ in range(19):
        take(job, now, [broken])
    with pytest.raises(LaminaError, match="20 steps in a row were not finite"):
        take(job, now, [broken])


def test_the_monitor_is_f_half_of_whole_fragments_inside_their_masks(tmp_path: Path) -> None:
    """INK-21, INK-24: pixels of the papyrus only, p > 0.5, over all of it."""
    trial, counts = Trial(tiny(tmp_path, *INK), Task(kind="binary", names=("ink",))), np.zeros(3)
    for number in range(2):
        chance = rng(0, "fragment", number)
        truth, valid = chance.random((2, 1, 40, 50 + number)) < 0.4
        prob = chance.random(truth.shape).astype(np.float32)
        image = ArrayVolume(np.zeros(truth.shape, np.uint8))
        case = Case(str(number), "", image, ArrayVolume(truth), ArrayVolume(valid))
        trial.add(case, prob)
        mask = (prob > 0.5) & valid
        counts += [(mask & truth).sum(), mask.sum(), (truth & valid).sum()]
    right, found, there = counts
    precision, recall = right / found, right / there
    expected = 1.25 * precision * recall / (0.25 * precision + recall)
    assert trial.result().value == pytest.approx(expected)


def test_the_best_epoch_is_kept_and_the_last_beside_it(tmp_path: Path) -> None:
    """INK-21: best (1) by F0.5 of the stitched held-out cases, plus last."""
    changes = ("data.count=4", "data.shape=[64, 64]", "task={kind: multilabel}")
    recipe = tiny(tmp_path, *INK, *changes, "train.keep_last=true", "train.epochs=3")
    train(recipe, data=tmp_path, out=tmp_path / "run", folds=(0,))
    fold = tmp_path / "run" / "fold0"
    rows = [json.loads(line) for line in (fold / "metrics.jsonl").read_text().splitlines()]
    best = max(rows, key=lambda row: row["monitor"])["epoch"]
    names = {path.name for path in (fold / "main").glob("*.safetensors")}
    assert names == {f"epoch-{best:04d}.safetensors", "last.safetensors"}
    member = json.loads((fold / "member.json").read_text())
    assert member["member"] == f"main/epoch-{best:04d}.safetensors"
    last = load_file(fold / "main" / "last.safetensors")
    kept = load_file(fold / "main" / f"epoch-{best:04d}.safetensors")
    assert last.keys() == kept.keys()
    assert (best == 2) == all(torch.equal(last[name], kept[name]) for name in last)


@pytest.mark.slow
def test_a_network_of_three_axes_is_trained_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Issue 7: weights of three axes through training, resuming, a bundle and its answers."""
    network = "network={kind: volume_unet, filters: [8, 8, 8, 8, 8], checkpointing: true}"
    changes = (network, "data.count=4", "data.shape=[64, 64]", "train.schedule={kind: constant}")
    one, two = (tiny(tmp_path, *changes, f"train.epochs={epochs}") for epochs in (1, 2))
    members = []
    for out, recipes in (("whole", [two]), ("stopped", [one, two])):
        for recipe in recipes:
            options = {"data": tmp_path, "folds": (1,), "accept_changes": True}
            options["keep_state"] = True
            train(recipe, out=tmp_path / out, **options)
        members.append(Bundle.load(tmp_path / out / "bundle").network(0).state_dict())
    assert members[0]["encoder.conv1.weight"].shape == (64, 1, 3, 7, 7)
    assert all(torch.equal(value, members[1][name]) for name, value in members[0].items())
