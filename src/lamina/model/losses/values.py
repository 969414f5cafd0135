"""Losses of values without activation, for tasks that restore: one error of each value."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels, refuse_exclusive

if TYPE_CHECKING:
    from torch import Tensor


class ValueLoss(Loss):
    """An error of every value, and their mean or sum."""

    reduction: Literal["mean", "sum"] = "mean"  # NOISE-11
    """Mean over what counts; or sum over all samples of an optimiser step, so that
    gradients grow with the number of values, and the best rate falls with it."""

    @property
    def adds_up(self) -> bool:
        """True for ``sum``."""
        return self.reduction == "sum"

    @abstractmethod
    def error(self, difference: Tensor) -> Tensor:
        """Return the error of each difference between answer and target."""

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        kind = str(getattr(self, "kind", "of values"))
        refuse_exclusive(kind, "cross_entropy or dice", exclusive=exclusive)
        error = self.error(pixels.logits - pixels.target)
        if self.reduction == "sum":
            return pixels.summed((error * pixels.valid).sum())
        return pixels.mean(error)
