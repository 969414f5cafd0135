"""The weighted sum of the parts of a loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import counted

if TYPE_CHECKING:
    from torch import Tensor


def total(
    losses: Sequence[Loss],
    logits: Tensor,
    target: Tensor,
    valid: Tensor | None = None,
    *,
    exclusive: bool,
    smoothing: float = 0.0,
    floor: float = 0.0,
    share: float = 1.0,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted sum of ``losses``, and each part without its weight.

    Args:
        losses: The parts, at least one.
        logits: (B, K, *S), any floating type.
        target: (B, K, *S), 0/1 per output (one-hot where exclusive) or values.
        valid: (B, 1, *S), 1 where a pixel counts, but for parts that count what is outside;
            None: all count.
        exclusive: Whether outputs exclude each other.
        smoothing: Share e by which the target of every part leaves 0 and 1: t becomes
            e + (1 - 2e) t (STEEL-12); for targets of 0 and 1.
        floor: Least value of the sum; below it nothing is learnt (SIIM-13). 0: none.
        share: Of the samples of an optimiser step those of this batch. Parts that are means count
            by it, so that batches add up to the mean over the step; parts that add up do not.
        reduce: Sums over the processes that have parts of this batch; None: it is whole here.

    Returns:
        A float32 scalar that can be differentiated; detached parts named by their kind, a second
        part of one kind as ``kind_2``. All count by ``share``.

    Raises:
        ValueError: there are no losses.
    """
    if not losses:
        raise ValueError("a loss needs at least one part")
    if smoothing:
        target = smoothing + (1 - 2 * smoothing) * target.float()
    seen = {
        outside: counted(logits, target, None if outside == "count" else valid, reduce)
        for outside in {loss.outside for loss in losses}
    }
    values = [loss.judge(seen[loss.outside], exclusive=exclusive) for loss in losses]
    if share != 1:
        values = [
            value if loss.adds_up else value * share
            for loss, value in zip(losses, values, strict=True)
        ]
    by_kind: dict[str, Tensor] = {}
    met: dict[str, int] = {}
    for loss, value in zip(losses, values, strict=True):
        kind = str(getattr(loss, "kind", type(loss).__name__.lower()))
        met[kind] = met.get(kind, 0) + 1
        by_kind[kind if met[kind] == 1 else f"{kind}_{met[kind]}"] = value.detach()
    whole = values[0] * losses[0].weight
    for loss, value in zip(losses[1:], values[1:], strict=True):
        whole = whole + value * loss.weight
    return whole.clamp(min=floor * share) if floor else whole, by_kind
