"""F-beta of masks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.model.metrics.counts import CountMetric, divide
from lamina.task import Aim


class FBeta(CountMetric):
    """(1 + b^2) |P and T| / (b^2 |T| + |P|): 0 without a true positive; b = 1 is Dice.

    The ink competition's score has b = 0.5 on all pixels of the papyrus.
    """

    kind: Literal["f_beta"] = "f_beta"
    label: ClassVar[str] = "F-beta"

    beta: float = Field(default=0.5, gt=0)
    """How many times as much recall counts as precision."""

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return F-beta of (..., 3) counts."""
        square = self.beta**2
        return divide((1 + square) * tally[..., 0], square * tally[..., 2] + tally[..., 1])

    def aim(self, outputs: int) -> Aim:
        """Return F-beta."""
        wrong = 1 / (1 + self.beta**2)
        return self.searched(outputs, wrong, 1 - wrong)

    @property
    def title(self) -> str:
        """Name with beta, scope and rule."""
        return super().title.replace("F-beta", f"F{self.beta:g}", 1)
