"""Intersection over union of masks."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.counts import CountMetric, divide
from lamina.task import Aim


class Iou(CountMetric):
    """|P and T| / |P or T|, also named Jaccard."""

    kind: Literal["iou"] = "iou"
    label: ClassVar[str] = "IoU"

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return IoU of (..., 3) counts."""
        both = tally[..., 0]
        return divide(both, tally[..., 1] + tally[..., 2] - both)

    def aim(self, outputs: int) -> Aim:
        """Return intersection over union."""
        return self.searched(outputs, 1.0, 1.0)
