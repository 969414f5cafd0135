"""Absolute error of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lamina.model.losses.values import ValueLoss

if TYPE_CHECKING:
    from torch import Tensor


class L1(ValueLoss):
    """|answer - target| of values without activation, for tasks that restore."""

    kind: Literal["l1"] = "l1"

    def error(self, difference: Tensor) -> Tensor:
        """Return absolute values."""
        return difference.abs()
