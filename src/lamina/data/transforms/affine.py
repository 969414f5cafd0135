"""Turning, scaling and shifting by any amount."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from lamina.data.transforms.base import Warp, Where
from lamina.spec import ADDED_LATER


class Placement(NamedTuple):
    """How the picture lies in the region: radians counter-clockwise, factors, pixels."""

    angle: float
    scale_rows: float
    scale_columns: float
    down: float
    right: float
    scale_planes: float = 1.0
    behind: float = 0.0
    """Shift along z."""

    tilts: tuple[float, float] = (0.0, 0.0)
    """Turns from z towards rows, and from z towards columns."""


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

    axes: Annotated[Literal["yx", "zyx"], ADDED_LATER] = "yx"
    """Axes of a block that scale and shift act along: yx, all planes alike in their plane; zyx,
    along z too."""

    tilt: Annotated[float, Field(ge=0, le=180), ADDED_LATER] = 0.0
    """Maximum angle either way out of the plane, in degrees, towards rows and towards columns.
    For voxels as deep as they are wide, and axes of zyx."""

    @field_validator("scale", "aspect")
    @classmethod
    def _ranges_rise(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if not 0 < pair[0] <= pair[1]:
            raise ValueError(f"{list(pair)} must be two positive numbers, the smaller one first")
        return pair

    @model_validator(mode="after")
    def _what_is_tilted_is_a_block(self) -> Affine:
        if self.tilt and self.axes != "zyx":
            raise ValueError(f"tilt is {self.tilt:g}, out of the plane, and axes is yx; set it zyx")
        return self

    @property
    def moves_planes(self) -> bool:
        """Whether z is among ``axes``."""
        return self.axes == "zyx"

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> Placement | None:
        """Return angle, scale and shift, each uniform in its range."""
        if rng.random() >= self.p:
            return None
        angle = math.radians(rng.uniform(-self.rotate, self.rotate))
        scale, aspect = rng.uniform(*self.scale), rng.uniform(*self.aspect)
        down, right = (float(rng.uniform(-self.shift, self.shift)) * side for side in size[-2:])
        placed = Placement(angle, scale, scale * aspect, down, right)
        if self.axes == "yx" or len(size) == 2:
            return placed
        behind = float(rng.uniform(-self.shift, self.shift)) * size[0]
        first, second = (math.radians(rng.uniform(-self.tilt, self.tilt)) for _ in range(2))
        return placed._replace(scale_planes=scale, behind=behind, tilts=(first, second))

    def move(self, where: Where, picked: Placement) -> Where:
        """Undo the shift, then the scale, then the turn."""
        rows = (where.rows - np.float32(picked.down)) * np.float32(1 / picked.scale_rows)
        columns = (where.columns - np.float32(picked.right)) * np.float32(1 / picked.scale_columns)
        rows, columns = _turned(rows, columns, picked.angle)
        planes = where.planes
        if planes is None:
            return Where(rows, columns)
        if (picked.behind, picked.scale_planes) != (0.0, 1.0):
            planes = (planes - np.float32(picked.behind)) * np.float32(1 / picked.scale_planes)
        planes, rows = _turned(planes, rows, picked.tilts[0])
        planes, columns = _turned(planes, columns, picked.tilts[1])
        return Where(rows, columns, planes)


def _turned(
    one: NDArray[np.float32], other: NDArray[np.float32], angle: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    if angle == 0:
        return one, other
    sin, cos = np.float32(math.sin(angle)), np.float32(math.cos(angle))
    return cos * one + sin * other, cos * other - sin * one
