"""Focal loss: cross-entropy that turns away from what is already right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels, refuse_exclusive

if TYPE_CHECKING:
    from torch import Tensor


class Focal(Loss):  # SIIM-14
    """(1 - q)^gamma * -log q, the mean over what counts; q is the probability of the truth.

    Lin et al. 2017. For a target t and a probability p, q is t p + (1 - t) (1 - p), and the mean is
    over outputs and pixels. With exclusive classes q is the sum of t p over them, p by softmax, and
    the mean is over pixels.
    """

    kind: Literal["focal"] = "focal"

    gamma: float = Field(default=2.0, ge=0)
    """How fast a pixel loses its weight as its answer becomes right; 0 is cross-entropy."""

    alpha: float | None = Field(default=None, gt=0, lt=1)
    """Weight of pixels of the class, 1 - alpha that of the others; null: all 1."""

    clamp: float = Field(default=1e-8, gt=0, lt=0.5)
    """Minimum probability q that is told apart: -log q is at most -log(clamp)."""

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        right, wrong = self._exclusive(pixels) if exclusive else _single(pixels)
        surprise = -right.clamp(min=self.clamp).log()
        # the lower bound keeps the derivative finite for gamma below 1
        loss = wrong.clamp(min=self.clamp) ** self.gamma * surprise
        if self.alpha is not None:
            truth = pixels.target
            loss = loss * (self.alpha * truth + (1 - self.alpha) * (1 - truth))
        return pixels.mean(loss)

    def _exclusive(self, pixels: Pixels) -> tuple[Tensor, Tensor]:
        refuse_exclusive("focal with alpha", "alpha: null", exclusive=self.alpha is not None)
        right = (pixels.target * pixels.logits.softmax(1)).sum(1, keepdim=True)
        return right, 1 - right


def _single(pixels: Pixels) -> tuple[Tensor, Tensor]:
    """Return q and 1 - q, each precise where it is small."""
    prob, rest, truth = pixels.logits.sigmoid(), (-pixels.logits).sigmoid(), pixels.target
    return truth * prob + (1 - truth) * rest, truth * rest + (1 - truth) * prob
