"""Gaussian noise."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import field_validator

from lamina.data.corruptions.base import Array, Corruption, Level, Scene, check_level, drawn


class Gaussian(Corruption):
    """Independent normal noise on every value."""

    kind: Literal["gaussian"] = "gaussian"

    sigma: Level = 25.0
    """Standard deviation in stored units, such as 25 of 255; or [minimum, maximum], of which every
    image has its own."""

    @field_validator("sigma")
    @classmethod
    def _sigma_is_positive(cls, sigma: Level) -> Level:
        return check_level("sigma", sigma)

    def pick(self, rng: np.random.Generator) -> float:
        """Return the standard deviation."""
        return drawn(self.sigma, rng)

    def spoil(self, clean: Array, picked: float, scene: Scene, rng: np.random.Generator) -> Array:
        """Return clean + sigma n."""
        del scene
        noisy = rng.standard_normal(clean.shape, np.float32)
        noisy *= np.float32(picked)
        noisy += clean
        return noisy
