"""Absolute error of values."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from lamina.model.losses.values import ValueLoss


class L1(ValueLoss):
    """|answer - target| of values without activation, for tasks that restore."""

    kind: Literal["l1"] = "l1"

    def error(self, difference: Tensor) -> Tensor:
        """Return absolute values."""
        return difference.abs()
