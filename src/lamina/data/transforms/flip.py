"""Mirroring."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import field_validator

from lamina.data.transforms.base import Warp, Where


class Flip(Warp):
    """Mirror each of ``axes`` with probability ``p``, independently."""

    kind: Literal["flip"] = "flip"

    axes: str = "yx"
    """Which axes: x swaps left and right, y swaps top and bottom; of blocks z swaps the first and
    the last plane."""

    @field_validator("axes")
    @classmethod
    def _axes_are_of_the_region(cls, axes: str) -> str:
        if not axes or set(axes) - set("zyx") or len(set(axes)) != len(axes):
            raise ValueError(f"axes is '{axes}'; it must be x, y or yx, or of blocks zyx")
        return axes

    @property
    def moves_planes(self) -> bool:
        """Whether ``axes`` names z."""
        return "z" in self.axes

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> str | None:
        """Return the axes to mirror, such as ``"x"``."""
        return "".join(axis for axis in self.axes if rng.random() < self.p) or None

    def move(self, where: Where, picked: str) -> Where:
        """Mirror at the region's centre."""
        planes = where.planes
        return Where(
            -where.rows if "y" in picked else where.rows,
            -where.columns if "x" in picked else where.columns,
            -planes if "z" in picked and planes is not None else planes,
        )
