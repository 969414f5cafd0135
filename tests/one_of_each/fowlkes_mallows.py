"""A metric as a contributor would write it: the geometric mean of precision and recall."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.counts import CountMetric, divide
from lamina.task import Aim


class FowlkesMallows(CountMetric):
    """|P and T| / sqrt(|P| |T|)."""

    kind: Literal["fowlkes_mallows"] = "fowlkes_mallows"
    label: ClassVar[str] = "Fowlkes-Mallows index"

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the index of (..., 3) counts."""
        both = divide(tally[..., 0], np.sqrt(tally[..., 1] * tally[..., 2]))
        return np.where(tally[..., 1] + tally[..., 2] > 0, np.nan_to_num(both), np.nan)

    def aim(self, outputs: int) -> Aim:
        """Return Dice, the harmonic mean of the same two."""
        return self.searched(outputs, instead="a search sums up ratios without roots")
