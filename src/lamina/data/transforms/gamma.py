"""Gamma curves."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lamina.data.transforms.base import Table


class Gamma(Table):
    """x becomes x to the power of g, with g uniform in low..high; x is a fraction of the range."""

    kind: Literal["gamma"] = "gamma"

    low: float = Field(default=0.8, gt=0)  # SIIM-7
    """Minimum exponent; below 1 brightens."""

    high: float = Field(default=1.2, gt=0)
    """Maximum exponent; above 1 darkens."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Gamma:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, {self.high}")
        return self

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> float | None:
        """Return the exponent."""
        return float(rng.uniform(self.low, self.high)) if rng.random() < self.p else None

    def map(self, values: NDArray[np.float32], picked: float) -> NDArray[np.float32]:
        """Return x ** g; what an earlier table pushed below 0 counts as 0."""
        return np.maximum(values, np.float32(0)) ** np.float32(picked)
