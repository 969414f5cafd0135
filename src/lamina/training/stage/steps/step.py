"""One optimiser step, and what steps came to.

Nothing of a step is asked of the device by the host: losses, the norm of the gradient and whether
all is finite stay there as tensors, and a step that is not finite is left out there, too. The host
reads what came of the steps now and then, so that a GPU never waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lamina.model.deep_supervision import total_over_sizes
from lamina.model.memory_layout import layout_of
from lamina.seeding import rng
from lamina.training.devices.ranks import Ranks
from lamina.training.stage.context import FoldContext, StageState
from lamina.training.stage.loading.samples import Batch
from lamina.training.stage.steps.running_statistics import RunningStatistics


class Step:
    """One optimiser step in the making: batches are added, then it is taken."""

    def __init__(self, job: FoldContext, now: StageState, samples: int, *, split: bool) -> None:
        """Begin.

        Args:
            job: The fold.
            now: The stage.
            samples: Samples of all batches of all ranks.
            split: Whether ranks have parts of one batch, rather than batches of their own.
        """
        self._job, self._now, self._samples, self._split = job, now, samples, split
        self._sums: dict[str, Tensor] = {}
        shared = job.ranks.size > 1 and not split
        self._running = RunningStatistics(now.network) if shared else None

    def add(self, batch: Batch) -> None:
        """Add the gradient of a batch, or of this rank's part of one."""
        job, network = self._job, self._now.network
        device, recipe = job.accelerator.device, job.recipe
        there = batch.on(device, layout_of(network, batch.image.ndim))
        with job.accelerator.autocast():
            answer = (self._now.compiled or network)(there.image)
        loss, parts = total_over_sizes(
            job.losses or recipe.loss,
            answer,
            there.target,
            there.valid,
            exclusive=job.task.exclusive,
            smoothing=recipe.label_smoothing,
            floor=recipe.loss_floor,
            share=1.0 if self._split else len(batch.image) / self._samples,
            reduce=job.ranks.reduce if self._split else None,
        )
        self._backward(loss)
        for name, value in {"loss": loss.detach(), **parts}.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value

    def take(self, steps_per_epoch: int) -> None:
        """Change the weights, unless something is not finite."""
        job, now = self._job, self._now
        if job.ranks.size > 1:
            self._sums = _exchanged(job.ranks, now, self._sums, self._running, split=self._split)
        scaled = job.accelerator.scaler is not None  # the scaler itself skips and adapts
        if scaled:
            job.accelerator.unscale_gradients()
        limit = now.stage.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(now.network.parameters(), limit)
        finite = torch.isfinite(self._sums["loss"]) & torch.isfinite(norm)
        _change(now.optimizer, finite, scaled=scaled)
        if now.average is not None:
            now.average.update(now.network, steps_per_epoch=steps_per_epoch, taken=finite)
        now.totals.add(self._sums, norm, finite, self._samples)
        now.optimizer.zero_grad(set_to_none=True)
        now.position.step += 1

    def _backward(self, loss: Tensor) -> None:
        # accelerate's own looks for uninstalled packages on the disk at every step, a tenth of a
        # millisecond; with one process and no scaler there is nothing for it to do.
        accelerator = self._job.accelerator
        if accelerator.scaler is None:
            torch.autograd.backward(loss)
        else:
            accelerator.backward(loss)


def _change(optimizer: torch.optim.Optimizer, finite: Tensor, *, scaled: bool) -> None:
    """Let the optimiser change the weights where all is finite.

    Fused optimisers take a flag from the device, as from a scaler of gradients; others wait.
    """
    if scaled:
        optimizer.step()
    elif all(group.get("fused") for group in optimizer.param_groups):
        optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
        optimizer.step()
    elif bool(finite):
        optimizer.step()


def _exchanged(
    ranks: Ranks,
    now: StageState,
    sums: Mapping[str, Tensor],
    running: RunningStatistics | None,
    *,
    split: bool,
) -> dict[str, Tensor]:
    """Sum gradients and losses over the ranks, in one message, and merge running statistics."""
    parameters = [one for one in now.network.parameters() if one.requires_grad]
    if now.learning is None:  # which weights the answer depends on, on any rank
        own = [one.grad is not None for one in parameters]
        now.learning = [any(each) for each in zip(*ranks.gather(own), strict=True)]
    used = [one for one, learns in zip(parameters, now.learning, strict=True) if learns]
    for one in used:
        if one.grad is None:
            one.grad = torch.zeros_like(one)
    # A rank has no batch of a step of few, not even the first rank of the first step.
    names = now.names or max(ranks.gather(list(sums)), key=len)
    now.names = names
    zero = torch.zeros((), device=parameters[0].device)
    counts = not split or ranks.is_main  # a split loss is already that of all ranks
    means = torch.stack([sums[one].float() if one in sums and counts else zero for one in names])
    changes = None
    if running:
        mine = running.changes()
        changes = mine.new_zeros(ranks.size, len(mine))
        changes[ranks.rank] = mine
    gradients = [one.grad for one in used if one.grad is not None]
    ranks.sum_into([*gradients, means, *([] if changes is None else [changes])])
    if running and changes is not None:
        running.put(changes)
    return dict(zip(names, means, strict=True))


def seed_batch(seed: int, stage: str, epoch: int, number: int) -> None:
    """Seed torch's own generator, from which dropout draws, for one batch: whoever computes it."""
    torch.manual_seed(int(rng(seed, stage, epoch, "torch", number).integers(2**31)))
