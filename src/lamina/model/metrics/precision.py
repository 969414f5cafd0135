"""Precision of masks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.counts import CountMetric, divide
from lamina.task import Aim


class Precision(CountMetric):  # STEEL-13: 1 when undefined
    """|P and T| / |P|: which share of the prediction is right."""

    kind: Literal["precision"] = "precision"
    label: ClassVar[str] = "Precision"
    undefined: ClassVar[str] = "nothing predicted"

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return precision of (..., 3) counts."""
        return divide(tally[..., 0], tally[..., 1])

    def aim(self, outputs: int) -> Aim:
        """Return Dice, since precision alone is highest for an absurd mask."""
        return self.searched(
            outputs, instead="precision alone is highest where next to nothing is predicted"
        )
