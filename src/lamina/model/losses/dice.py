"""Soft Dice loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lamina.model.losses.overlap import Overlap

if TYPE_CHECKING:
    from torch import Tensor


class Dice(Overlap):  # SIIM-14; STEEL-11 and FAULT-8 by options
    """1 - (2 |P.T| + s) / (|P| + |T| + s + b) per unit, then the mean; P are probabilities.

    The Dice of Milletari et al. 2016 (V-Net), with plain sums in place of squares.
    """

    kind: Literal["dice"] = "dice"

    def ratio(self, overlap: Tensor, answer: Tensor, truth: Tensor) -> Tensor:
        below = answer + truth + self.smooth + self.smooth_below
        return (2 * overlap + self.smooth) / below
