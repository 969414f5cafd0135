"""Batches whose samples are mixed, as a stage says."""

from __future__ import annotations

import torch

from lamina.data.mixing import Samples
from lamina.recipe.stage import Stage
from lamina.seeding import rng
from lamina.training.saving.state import Position
from lamina.training.stage.context import FoldContext
from lamina.training.stage.loader import Batch


def mix_batch(job: FoldContext, stage: Stage, position: Position, batch: Batch) -> Batch:
    """Return the batch with its samples mixed; as it is, where the stage mixes nothing.

    Chance belongs to (seed, stage, epoch, batch), so that neither workers nor an interruption
    change anything.
    """
    if not stage.mix:
        return batch
    chance = rng(job.recipe.seed, stage.name, position.epoch, "mix", position.batch)
    stack = Samples(batch.image.numpy(), batch.target.numpy(), batch.valid.numpy())
    for one in stage.mix:
        stack = one.mix(stack, exclusive=job.task.exclusive, rng=chance)
    return Batch(*(torch.from_numpy(part) for part in stack))
