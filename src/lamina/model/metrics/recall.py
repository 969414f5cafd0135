"""Recall of masks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.counts import CountMetric, divide
from lamina.task import Aim


class Recall(CountMetric):  # STEEL-13: 1 when undefined
    """|P and T| / |T|: which share of the truth is found."""

    kind: Literal["recall"] = "recall"
    label: ClassVar[str] = "Recall"
    undefined: ClassVar[str] = "nothing to find"

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return recall of (..., 3) counts."""
        return divide(tally[..., 0], tally[..., 2])

    def aim(self, outputs: int) -> Aim:
        """Return Dice, since recall alone is highest for an absurd mask."""
        return self.searched(
            outputs, instead="recall alone is highest where everything is predicted"
        )
