"""Stripes: lines that lie too high or too low, as from the cells of a scanner."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from lamina.data.corruptions.base import Array, Corruption, Level, Scene, check_level, drawn


class Stripes(Corruption):
    """Every line along one axis is moved by a normal number of its own."""

    kind: Literal["stripes"] = "stripes"

    sigma: Level = 10.0
    """Standard deviation between lines in stored units; or [minimum, maximum], of which every image
    has its own."""

    along: str = Field(default="y", pattern=r"^[a-z]$")
    """The axis that lines run along: y for columns, x for rows. In slices across it every pixel is
    a line of its own."""

    @field_validator("sigma")
    @classmethod
    def _sigma_is_positive(cls, sigma: Level) -> Level:
        return check_level("sigma", sigma)

    def pick(self, rng: np.random.Generator) -> float:
        """Return the standard deviation."""
        return drawn(self.sigma, rng)

    def whole(self, last: str) -> str:
        """Return the axis of the lines."""
        del last
        return self.along

    def spoil(self, clean: Array, picked: float, scene: Scene, rng: np.random.Generator) -> Array:
        """Return clean + sigma n, the same n along a line."""
        shape = list(clean.shape)
        if self.along in scene.axes:
            shape[1 + scene.axes.index(self.along)] = 1
        return clean + np.float32(picked) * rng.standard_normal(shape, np.float32)
