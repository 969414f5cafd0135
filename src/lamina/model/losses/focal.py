"""Focal loss: cross-entropy that turns away from what is already right."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels, refuse_exclusive

if TYPE_CHECKING:
    from torch import Tensor


class Focal(Loss):  # SIIM-14
    """(1 - q)^gamma * -log q, the mean over what counts; q is the probability of the truth.

    Lin et al. 2017. With exclusive classes q is the softmax probability of the true class and
    the mean is over pixels, else it is over outputs and pixels.
    """

    kind: Literal["focal"] = "focal"

    gamma: float = Field(default=2.0, ge=0)
    """How fast a pixel loses its weight as its answer becomes right; 0 is cross-entropy."""

    alpha: float | None = Field(default=None, gt=0, lt=1)
    """Weight of pixels of the class, 1 - alpha that of the others; null: all 1."""

    clamp: float = Field(default=1e-8, gt=0, lt=0.5)
    """Least probability q that is told apart: -log q is at most -log(clamp)."""

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        surprise, wrong = self._exclusive(pixels) if exclusive else _single(pixels)
        surprise = surprise.clamp(max=-math.log(self.clamp))
        # the lower bound keeps the derivative finite for gamma below 1
        loss = wrong.clamp(min=self.clamp) ** self.gamma * surprise
        if self.alpha is not None:
            truth = pixels.target
            loss = loss * (self.alpha * truth + (1 - self.alpha) * (1 - truth))
        return pixels.mean(loss)

    def _exclusive(self, pixels: Pixels) -> tuple[Tensor, Tensor]:
        refuse_exclusive("focal with alpha", "alpha: null", exclusive=self.alpha is not None)
        log_prob = pixels.logits.log_softmax(1)
        surprise = -(pixels.target * log_prob).sum(1, keepdim=True)
        return surprise, 1 - (pixels.target * log_prob.exp()).sum(1, keepdim=True)


def _single(pixels: Pixels) -> tuple[Tensor, Tensor]:
    from torch.nn import functional

    prob, truth = pixels.logits.sigmoid(), pixels.target
    surprise = functional.binary_cross_entropy_with_logits(pixels.logits, truth, reduction="none")
    return surprise, prob * (1 - truth) + (1 - prob) * truth
