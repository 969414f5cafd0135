"""Holes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from lamina.data.transforms.base import Patch, Touch
from lamina.geometry.region import Region


class Cutout(Touch):
    """Overwrite square holes in all channels, so that the network learns to use the surroundings.

    DeVries and Taylor 2017. Holes lie wholly inside the region, and go through all planes of a
    block.
    """

    kind: Literal["cutout"] = "cutout"

    count: int = Field(default=1, ge=1)
    """Number of holes; they may overlap."""

    size: tuple[float, float] = (0.1, 0.3)
    """Minimum and maximum side, as a fraction of the region's shorter side, cut to whole pixels."""

    fill: float = Field(default=0.0, ge=0, le=1)
    """Value inside, as a fraction of the range."""

    clear_target: bool = False  # INK-14
    """Set the target to 0 (no class) inside the holes too."""

    @field_validator("size")
    @classmethod
    def _sizes_rise(cls, size: tuple[float, float]) -> tuple[float, float]:
        if not 0 < size[0] <= size[1] <= 1:
            raise ValueError(f"{list(size)} must be two fractions, the smaller one first")
        return size

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[Region, ...] | None:
        """Return the holes."""
        if rng.random() >= self.p:
            return None
        return tuple(self._hole(size[-2:], rng) for _ in range(self.count))

    def _hole(self, size: tuple[int, ...], rng: np.random.Generator) -> Region:
        side = max(int(rng.uniform(*self.size) * min(size)), 1)
        top, left = (int(rng.integers(0, n - side + 1)) for n in size)
        return Region((top, left), (top + side, left + side))

    def touch(self, patch: Patch, picked: tuple[Region, ...]) -> Patch:
        """Overwrite the holes in a copy."""
        image = patch.image.copy()
        target = patch.target.copy() if self.clear_target else patch.target
        value = patch.low + self.fill * (patch.high - patch.low)
        if np.issubdtype(image.dtype, np.integer):
            value = round(value)
        for hole in picked:
            rows, columns = hole.slices
            image[..., rows, columns] = value
            if self.clear_target:
                target[..., rows, columns] = 0
        return replace(patch, image=image, target=target)
