"""Losses of logits of several sizes (deep supervision; Lee et al. 2015).

A network in training mode may answer in a list, from full size to coarser ones. Each is judged
against the target at its own size; in evaluation there is one answer, of full size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from lamina.model.downscale import at_size
from lamina.model.losses import AnyLoss, total


def weights_of(count: int) -> list[float]:
    """Return the weight of each size, the largest first: 1, 1/2, 1/4, ..., 0, over their sum.

    Source:
        nnU-Net (Isensee et al. 2021), in which the coarsest of several has none.

    Example:
        >>> [round(weight, 4) for weight in weights_of(4)]
        [0.5714, 0.2857, 0.1429, 0.0]
    """
    weights = [0.5**level for level in range(count)]
    if count > 1:
        weights[-1] = 0.0
    return [weight / sum(weights) for weight in weights]


def total_over_sizes(
    losses: Sequence[AnyLoss],
    answer: Tensor | Sequence[Tensor],
    target: Tensor,
    valid: Tensor | None,
    *,
    exclusive: bool,
    smoothing: float = 0.0,
    floor: float = 0.0,
    share: float = 1.0,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the weighted mean of ``total`` over the sizes of an answer, and that of its parts.

    Args:
        losses: The parts, at least one.
        answer: Logits (B, K, *S), or several with sides that divide those of the target.
        target: (B, K, *S) at full size; at others its means.
        valid: (B, 1, *S), 1 where a pixel counts; at other sizes where all that it covers counts;
            None: all do.
        exclusive: As ``total``.
        smoothing: As ``total``.
        floor: Of the weighted mean.
        share: As ``total``.
        reduce: As ``total``.
    """
    sizes = [answer] if isinstance(answer, Tensor) else list(answer)
    whole: Tensor | None = None
    parts: dict[str, Tensor] = {}
    for weight, logits in zip(weights_of(len(sizes)), sizes, strict=True):
        if not weight:
            continue
        truth, counts = at_size(logits, target, valid)
        loss, each = total(
            losses,
            logits,
            truth,
            counts,
            exclusive=exclusive,
            smoothing=smoothing,
            share=share,
            reduce=reduce,
        )
        loss = loss if weight == 1 else loss * weight
        whole = loss if whole is None else whole + loss
        for name, value in each.items():
            value = value if weight == 1 else value * weight
            parts[name] = parts[name] + value if name in parts else value
    if whole is None:
        raise ValueError("an answer has at least one size")
    return whole.clamp(min=floor * share) if floor else whole, parts
