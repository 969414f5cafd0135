"""Noise of counted events."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from lamina.data.corruptions.base import Array, Corruption, Level, Scene, check_level, drawn
from lamina.errors import DataError


class Poisson(Corruption):
    """Each value becomes a count of events whose mean is proportional to it, scaled back."""

    kind: Literal["poisson"] = "poisson"

    peak: Level = 30.0
    """Events at the greatest value: the fewer, the noisier; or [minimum, maximum], of which every
    image has its own."""

    full: float | None = Field(default=None, gt=0)
    """Stored value that ``peak`` events stand for; null: 255 for 8 bits, 65535 for 16 bits, 1 for
    floats."""

    @field_validator("peak")
    @classmethod
    def _peak_is_positive(cls, peak: Level) -> Level:
        return check_level("peak", peak, least=1e-3)

    def pick(self, rng: np.random.Generator) -> float:
        """Return the events at the greatest value."""
        return drawn(self.peak, rng)

    def spoil(self, clean: Array, picked: float, scene: Scene, rng: np.random.Generator) -> Array:
        """Return k full / peak, k drawn by Poisson with the mean clean peak / full.

        Raises:
            DataError: a value is negative.
        """
        if clean.size and clean.min() < 0:
            raise DataError(
                f"{scene.name}: holds {clean.min():g}, and Poisson noise is of counts, at least 0; "
                "name another noise"
            )
        full = self.full or scene.unit
        counts = rng.poisson(clean * (picked / full))
        return (counts * (full / picked)).astype(np.float32)
