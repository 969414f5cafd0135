"""Dice of masks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.counts import CountMetric, divide
from lamina.task import Aim


class DiceScore(CountMetric):
    """2 |P and T| / (|P| + |T|).

    The steel competition's score is the default, ``over: image_class, empty: one``; the
    pneumothorax competition's is ``over: image, empty: one``; the fault competition's, of whole
    volumes and without the background, is ``over: image, empty: one, ignore_first: true``.
    """

    kind: Literal["dice"] = "dice"
    label: ClassVar[str] = "Dice"

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return Dice of (..., 3) counts."""
        return divide(2 * tally[..., 0], tally[..., 1] + tally[..., 2])

    def aim(self, outputs: int) -> Aim:
        """Return Dice."""
        return self.searched(outputs)
