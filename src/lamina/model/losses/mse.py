"""Squared error of values."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from lamina.model.losses.values import ValueLoss


class Mse(ValueLoss):
    """(answer - target)^2 of values without activation, for tasks that restore."""

    kind: Literal["mse"] = "mse"

    def error(self, difference: Tensor) -> Tensor:
        """Return squares."""
        return difference**2
