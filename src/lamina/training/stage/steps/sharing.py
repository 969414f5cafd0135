"""Which rank computes what of an optimiser step.

A step is ``accumulate`` batches of ``batch`` samples, whatever the number of ranks n:

    share: accumulate >= n    rank 0: [batch 0][batch 1]    rank 1: [batch 2]
    split: accumulate = 1     rank 0: [half of batch 0      rank 1:  other half]

Shared batches are computed whole, so everything is as in one process. A split one needs losses that
are sums, or ratios of sums, over its samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lamina.errors import RecipeError
from lamina.model.losses import AnyLoss
from lamina.recipe.stage import Stage


@dataclass(frozen=True)
class StepShare:
    """One optimiser step, and what this rank computes of it."""

    first: int
    """Number of its first batch in the epoch."""
    batches: int
    """Batches of all ranks."""
    samples: int
    """Samples of all ranks."""
    own: tuple[tuple[int, tuple[int, ...]], ...]
    """Number of the batch and numbers of the samples, of each batch of this rank."""


def is_split(stage: Stage, ranks: int) -> bool:
    """Whether ranks have parts of each batch, rather than batches of each step."""
    return ranks > 1 and stage.accumulate == 1


def shares(
    groups: Sequence[Sequence[int]], accumulate: int, *, begin: int, rank: int, ranks: int
) -> list[StepShare]:
    """Return the steps of an epoch from batch ``begin`` on.

    Args:
        groups: Numbers of the samples of each batch.
        accumulate: Batches of a step; the last step may have fewer.
        begin: Number of a batch with which a step begins.
        rank: Which rank.
        ranks: How many there are.

    Example:
        >>> [step.own for step in shares([[0], [1], [2]], 2, begin=0, rank=1, ranks=2)]
        [((1, (1,)),), ((2, (2,)),)]
    """
    found = []
    for first in range(begin, len(groups), accumulate):
        step = groups[first : first + accumulate]
        if ranks > 1 and accumulate == 1:
            low, high = _part(len(step[0]), rank, ranks)
            own: tuple[tuple[int, tuple[int, ...]], ...] = ((first, tuple(step[0][low:high])),)
        else:
            low, high = _part(len(step), rank, ranks)
            own = tuple((first + at, tuple(step[at])) for at in range(low, high))
        found.append(StepShare(first, len(step), sum(map(len, step)), own))
    return found


def _part(count: int, rank: int, ranks: int) -> tuple[int, int]:
    """Return the first and the last + 1 of ``count`` that a rank has."""
    return count * rank // ranks, count * (rank + 1) // ranks


def refuse_sharing(stage: Stage, losses: Sequence[AnyLoss], ranks: int) -> None:
    """Refuse to share the steps of a stage among ranks where the result would be another.

    Raises:
        RecipeError: with the values of batch and accumulate that can be shared.
    """
    if ranks == 1 or stage.accumulate >= ranks:
        return
    if stage.accumulate > 1:
        raise _refused(stage, ranks, f"accumulate is {stage.accumulate}, and there are {ranks}")
    if stage.mix:
        raise _refused(stage, ranks, "samples of a batch are mixed, so that it cannot be split")
    whole = [loss for loss in losses if not loss.can_be_split]
    if whole:
        raise _refused(stage, ranks, f"loss {whole[0].kind} is of a whole batch, not of its parts")


def refuse_split(
    stage: Stage, network: nn.Module, groups: Sequence[Sequence[int]], ranks: int, device: str
) -> None:
    """Refuse to split batches that are too small, or that batch norm must see whole.

    Raises:
        RecipeError: with the values of batch and accumulate that can be shared.
    """
    if not is_split(stage, ranks):
        return
    normed = any(isinstance(module, _BatchNorm) for module in network.modules())
    if normed and device != "cuda":
        what = "the network has batch norm, which is of a whole batch (torch has its split form "
        raise _refused(stage, ranks, f"{what}for GPUs only)")
    least = min(map(len, groups))
    if least < ranks * (2 if normed else 1):
        what = f"a batch has {least} samples, too few for {ranks} parts"
        raise _refused(stage, ranks, f"{what} of at least 2 (batch norm)" if normed else what)


def _refused(stage: Stage, ranks: int, why: str) -> RecipeError:
    samples = stage.batch * stage.accumulate
    batch = -(-samples // ranks)
    name = f"stages.{stage.name}"
    same = "the same" if batch * ranks == samples else f"{batch * ranks} in place of {samples}"
    return RecipeError(
        f"stage {stage.name} cannot be shared by {ranks} processes: {why}; set -s "
        f"{name}.batch={batch} -s {name}.accumulate={ranks} ({same} samples a step)"
    )


def words(stage: Stage, ranks: int) -> str:
    """Return how the steps of a stage are shared, for people."""
    if is_split(stage, ranks):
        return f"stage {stage.name}: each batch of {stage.batch} is split among {ranks} processes"
    return (
        f"stage {stage.name}: the {stage.accumulate} batches of {stage.batch} of a step are shared "
        f"by {ranks} processes"
    )
