"""Absolute error of values, rounded where it is small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.model.losses.values import ValueLoss

if TYPE_CHECKING:
    from torch import Tensor


class Charbonnier(ValueLoss):
    """sqrt((answer - target)^2 + eps^2) of values without activation, for tasks that restore.

    Charbonnier et al. 1994; for restoration Lai et al. 2017 (LapSRN). A perfect answer has eps.
    """

    kind: Literal["charbonnier"] = "charbonnier"

    eps: float = Field(default=1e-3, gt=0)
    """Differences well below this count by their squares, above it as they are."""

    def error(self, difference: Tensor) -> Tensor:
        """Return rounded absolute values."""
        return (difference**2 + self.eps**2).sqrt()
