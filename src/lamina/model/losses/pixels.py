"""What losses share: pixels that do not count are taken out before anything is computed.

Legend of shapes: B batch, K outputs, S sides along the axes of space, two or three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lamina.errors import RecipeError

if TYPE_CHECKING:
    from torch import Tensor


class Pixels(NamedTuple):
    """Logits and target in float32, 0 where a pixel does not count, and what counts."""

    logits: Tensor
    """(B, K, *S) float32."""

    target: Tensor
    """(B, K, *S) float32."""

    valid: Tensor
    """(B, 1, *S) float32, 1 where a pixel counts and 0 elsewhere."""

    reduce: Callable[[Tensor], Tensor] | None = None
    """Sums over the processes that have parts of the batch; None: this is the whole batch."""

    def summed(self, part: Tensor) -> Tensor:
        """Return the sum over the whole batch of what is a sum over its samples here."""
        return part if self.reduce is None else self.reduce(part)

    def mean_of_units(self, loss: Tensor) -> Tensor:
        """Return the mean of a loss for each image (B, ...) over the whole batch."""
        if self.reduce is None:
            return loss.mean()
        return self.reduce(loss.sum()) / self.reduce(loss.new_tensor(float(loss.numel())))

    def mean(self, loss: Tensor) -> Tensor:
        """Return the mean of ``loss`` (B, K or 1, *S) over what counts; 0 where nothing does."""
        counts = self.summed(self.valid.sum())
        return self.summed((loss * self.valid).sum()) / (counts * loss.shape[1]).clamp(min=1)

    def probabilities(self, *, exclusive: bool) -> Tensor:
        """Return (B, K, *S) probabilities: softmax or sigmoid; 0 where a pixel does not count."""
        return (self.logits.softmax(1) if exclusive else self.logits.sigmoid()) * self.valid


def counted(
    logits: Tensor,
    target: Tensor,
    valid: Tensor | None,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> Pixels:
    """Return what counts of an answer, in float32; ``reduce`` as in ``Pixels``.

    What does not count is replaced rather than multiplied, so that neither its gradient nor an
    infinite or undefined value in it reaches the loss (L09).

    Raises:
        ValueError: shapes differ.
    """
    import torch

    if logits.shape != target.shape:
        raise ValueError(f"logits are {tuple(logits.shape)}, target is {tuple(target.shape)}")
    if valid is None:
        whole = torch.ones_like(logits[:, :1]).float()
        return Pixels(logits.float(), target.float(), whole, reduce)
    counts = valid != 0
    return Pixels(
        torch.where(counts, logits.float(), 0.0),
        torch.where(counts, target.float(), 0.0),
        counts.float(),
        reduce,
    )


def per_output(weights: Sequence[float], logits: Tensor) -> Tensor:
    """Return (K, 1, ..., 1) weights of the outputs of ``logits`` (B, K, *S)."""
    return logits.new_tensor(weights).view(-1, *(1,) * (logits.ndim - 2))


def refuse_exclusive(kind: str, instead: str, *, exclusive: bool) -> None:
    """Raise RecipeError where a loss of single outputs meets classes that exclude each other."""
    if exclusive:
        raise RecipeError(
            f"loss {kind} judges each output on its own, but the classes of a multiclass task "
            f"exclude each other; use {instead}"
        )
