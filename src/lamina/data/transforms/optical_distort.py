"""Bulging and pinching, as lenses do."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from pydantic import Field

from lamina.data.transforms.base import Warp, Where


class Distortion(NamedTuple):
    """Strength of a distortion, where its centre goes, and the region's sides, in pixels."""

    strength: float
    down: float
    right: float
    size: tuple[int, ...]


class OpticalDistort(Warp):  # SIIM-7
    """Radial distortion about the region's centre: r becomes r (1 + k r^2 + k r^4), then a shift.

    Coefficients, focal length (the region's side along each axis, so that r is 0.5 in the middle
    of an edge) and the camera's centre, half a pixel and a shift in whole pixels away from the
    region's, are those of ``OpticalDistortion`` in albumentations before 2.0.
    """

    kind: Literal["optical_distort"] = "optical_distort"

    limit: float = Field(default=0.05, ge=0)
    """Maximum strength k either way; uniform."""

    shift: float = Field(default=0.05, ge=0)
    """Maximum shift along each axis, in pixels; uniform, then rounded."""

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> Distortion | None:
        """Return strength and shift."""
        if rng.random() >= self.p:
            return None
        strength = float(rng.uniform(-self.limit, self.limit))
        down, right = (round(rng.uniform(-self.shift, self.shift)) + 0.5 for _ in range(2))
        return Distortion(strength, down, right, size[-2:])

    def move(self, where: Where, picked: Distortion) -> Where:
        """Move every position along its ray from the centre, then all alike."""
        height, width = (np.float32(side) for side in picked.size)
        square = (where.rows / height) ** 2 + (where.columns / width) ** 2
        factor = 1 + np.float32(picked.strength) * (square + square * square)
        return where._replace(
            rows=where.rows * factor + np.float32(picked.down),
            columns=where.columns * factor + np.float32(picked.right),
        )
