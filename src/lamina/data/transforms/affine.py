"""Turning, scaling and shifting by any amount."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field, field_validator

from lamina.data.transforms.base import Warp, Where


class Placement(NamedTuple):
    """How the picture lies in the region: radians counter-clockwise, factors, pixels."""

    angle: float
    scale_rows: float
    scale_columns: float
    down: float
    right: float


class Affine(Warp):
    """Turn about the region's centre, scale, and shift; what comes into sight is real image.

    Only beyond the image itself is there border, as ``frame.border`` says.
    """

    kind: Literal["affine"] = "affine"

    rotate: float = Field(default=15.0, ge=0, le=180)
    """Maximum angle either way, in degrees."""

    scale: tuple[float, float] = (0.9, 1.1)
    """Minimum and maximum magnification; 2 shows things twice as large."""

    aspect: tuple[float, float] = (1.0, 1.0)  # INK-13
    """Minimum and maximum further magnification of columns alone."""

    shift: float = Field(default=0.0625, ge=0, le=1)
    """Maximum shift along each axis, as a fraction of the region's side."""

    @field_validator("scale", "aspect")
    @classmethod
    def _ranges_rise(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if not 0 < pair[0] <= pair[1]:
            raise ValueError(f"{list(pair)} must be two positive numbers, the smaller one first")
        return pair

    def pick(self, size: tuple[int, int], rng: np.random.Generator) -> Placement | None:
        """Return angle, scale and shift, each uniform in its range."""
        if rng.random() >= self.p:
            return None
        angle = math.radians(rng.uniform(-self.rotate, self.rotate))
        scale, aspect = rng.uniform(*self.scale), rng.uniform(*self.aspect)
        down, right = (float(rng.uniform(-self.shift, self.shift)) * side for side in size)
        return Placement(angle, scale, scale * aspect, down, right)

    def move(self, where: Where, picked: Placement) -> Where:
        """Undo the shift, then the scale, then the turn."""
        rows = (where.rows - np.float32(picked.down)) * np.float32(1 / picked.scale_rows)
        columns = (where.columns - np.float32(picked.right)) * np.float32(1 / picked.scale_columns)
        if picked.angle == 0:
            return Where(rows, columns)
        sin, cos = np.float32(math.sin(picked.angle)), np.float32(math.cos(picked.angle))
        return Where(cos * rows + sin * columns, cos * columns - sin * rows)
