"""What losses share: pixels that do not count are taken out before anything is computed.

Legend of shapes: B batch, K outputs, S sides along the axes of space, two or three.
"""

from __future__ import annotations

from collections.abc import Sequence
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

    def mean(self, loss: Tensor) -> Tensor:
        """Return the mean of ``loss`` (B, K or 1, *S) over what counts; 0 where nothing does."""
        return (loss * self.valid).sum() / (self.valid.sum() * loss.shape[1]).clamp(min=1)

    def probabilities(self, *, exclusive: bool) -> Tensor:
        """Return (B, K, *S) probabilities: softmax or sigmoid; 0 where a pixel does not count."""
        return (self.logits.softmax(1) if exclusive else self.logits.sigmoid()) * self.valid


def counted(logits: Tensor, target: Tensor, valid: Tensor | None) -> Pixels:
    """Return what counts of an answer, in float32.

    What does not count is replaced rather than multiplied, so that neither its gradient nor an
    infinite or undefined value in it reaches the loss (L09).

    Raises:
        ValueError: shapes differ.
    """
    import torch

    if logits.shape != target.shape:
        raise ValueError(f"logits are {tuple(logits.shape)}, target is {tuple(target.shape)}")
    if valid is None or bool((valid != 0).all()):
        return Pixels(logits.float(), target.float(), torch.ones_like(logits[:, :1]).float())
    counts = valid != 0
    return Pixels(
        torch.where(counts, logits.float(), 0.0),
        torch.where(counts, target.float(), 0.0),
        counts.float(),
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
