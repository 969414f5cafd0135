"""Peak signal-to-noise ratio."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.model.metrics.errors import ErrorMetric


class Psnr(ErrorMetric):
    """10 log10(peak^2 / mean squared error) in decibel, at most ``most``."""

    kind: Literal["psnr"] = "psnr"
    label: ClassVar[str] = "PSNR"

    peak: float = Field(default=1.0, gt=0)
    """Range of values that are possible: 1 for 0..1, 255 for 8 bit."""

    most: float = Field(default=100.0, gt=0)
    """Value of an answer without error, where the ratio is infinite."""

    def of(self, mse: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return decibels."""
        least = self.peak**2 * 10 ** (-self.most / 10)
        return 10 * np.log10(self.peak**2 / np.maximum(mse, least))
