"""Squared error of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lamina.model.losses.values import ValueLoss

if TYPE_CHECKING:
    from torch import Tensor


class Mse(ValueLoss):
    """(answer - target)^2 of values without activation, for tasks that restore."""

    kind: Literal["mse"] = "mse"

    def error(self, difference: Tensor) -> Tensor:
        """Return squares."""
        return difference**2
