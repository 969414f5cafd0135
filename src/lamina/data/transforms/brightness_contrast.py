"""Brightness and contrast."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.data.transforms.base import Table


class BrightnessContrast(Table):  # INK-14, SIIM-7
    """x becomes (1 + c) x + b, with c and b uniform in their limits; x is a fraction of the range.

    The formula of the pipelines it is compared with: contrast pivots at 0.
    """

    kind: Literal["brightness_contrast"] = "brightness_contrast"

    brightness: float = Field(default=0.2, ge=0, le=1)
    """Maximum b either way, as a fraction of the range."""

    contrast: float = Field(default=0.2, ge=0, le=1)
    """Maximum c either way."""

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[float, float] | None:
        """Return (b, c)."""
        if rng.random() >= self.p:
            return None
        return (
            float(rng.uniform(-self.brightness, self.brightness)),
            float(rng.uniform(-self.contrast, self.contrast)),
        )

    def map(self, values: NDArray[np.float32], picked: tuple[float, float]) -> NDArray[np.float32]:
        """Return (1 + c) x + b."""
        return values * np.float32(1 + picked[1]) + np.float32(picked[0])
