"""Squared error of values."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels, refuse_exclusive


class Mse(Loss):
    """(answer - target)^2 of values without activation, for tasks that restore."""

    kind: Literal["mse"] = "mse"

    reduction: Literal["mean", "sum"] = "mean"
    """Mean over what counts, or sum over the whole batch (NOISE-11)."""

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        refuse_exclusive(self.kind, "cross_entropy or dice", exclusive=exclusive)
        error = (pixels.logits - pixels.target) ** 2
        return error.sum() if self.reduction == "sum" else pixels.mean(error)
