"""Mean squared error of values."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.errors import ErrorMetric


class MseScore(ErrorMetric):
    """Mean of (answer - target)^2; lower is better."""

    kind: Literal["mse"] = "mse"
    label: ClassVar[str] = "Mean squared error"

    def of(self, mse: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the error itself."""
        return mse

    @property
    def higher_is_better(self) -> bool:
        """False: an error."""
        return False
