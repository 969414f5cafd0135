"""Smooth random displacement."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.data.transforms.base import Warp, Where
from lamina.spec import ADDED_LATER

_SPREAD = 151 / 315
"""Mean over places of the sum of squared weights of a cubic B-spline, along one axis."""


class Knots(NamedTuple):
    """Displacements (3, k, m, n) of z, rows and columns, ``step`` apart, of a block of ``size``."""

    moves: NDArray[np.float32]
    step: float
    size: tuple[int, ...]

    def at(self, where: Where, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the displacements at places from the block's centre, (3, D, H, W)."""
        from lamina.data.transforms.trilinear import linear  # compiles on first use

        apart = [planes.shape[1:], where.rows.shape[::2], where.columns.shape[:2]]
        if apart == [(1, 1)] * 3:
            return self._along(planes.ravel(), where.rows.ravel(), where.columns.ravel())
        whole = self._along(*(_places(side) for side in self.size))
        axes = zip((planes, where.rows, where.columns), self.size, strict=True)
        places = np.broadcast_arrays(*(axis + np.float32((side - 1) / 2) for axis, side in axes))
        return np.stack([linear(move, *places) for move in whole])

    def _along(self, *axes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the B-spline where three axes, each by itself, meet."""
        from lamina.data.transforms.trilinear import spline  # compiles on first use

        values = self.moves
        for axis, side in zip(axes, self.size, strict=True):
            knots = np.moveaxis(values, 1, -1)  # each becomes the last axis in its turn
            values = spline(knots, axis + np.float32((side - 1) / 2), self.step)
        return values


Moves = NDArray[np.float32] | Knots
"""A displacement (H, W, 2) of rows and columns, or one of all three axes."""


class Bend(NamedTuple):
    """A displacement, and where a turn of the whole region comes from, 2 x 3."""

    field: Moves
    turn: NDArray[np.float64]


class Elastic(Warp):
    """Move every pixel by a smooth random field, perhaps after an affine turn of the whole.

    Uniform noise in -1..1 per pixel and axis, blurred by a Gaussian and multiplied by ``alpha``
    (Simard et al. 2003). The typical move is about 0.16 alpha / sigma pixels. Along three axes it
    is a cubic B-spline of random knots sqrt(3) sigma apart, as wide as the Gaussian, with moves as
    large.
    """

    kind: Literal["elastic"] = "elastic"

    alpha: float = Field(default=120.0, ge=0)  # SIIM-7
    """Strength, in pixels before the blur."""

    sigma: float = Field(default=6.0, gt=0)
    """Width of the blur, in pixels."""

    affine: float = Field(default=0.0, ge=0)  # SIIM-7
    """Maximum move, in pixels, of each of three corners of a square in the region's middle, a
    third of its shorter side from the centre; the region first follows them."""

    axes: Annotated[Literal["yx", "zyx"], ADDED_LATER] = "yx"
    """Axes of a block that voxels move along: yx, all planes alike in their plane; zyx, along all
    three, by as many voxels."""

    @property
    def moves_planes(self) -> bool:
        """Whether z is among ``axes``."""
        return self.axes == "zyx"

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> Moves | Bend | None:
        """Return the displacement, in pixels: rows, then columns, or the knots of all axes."""
        if rng.random() >= self.p:
            return None
        deep = self.axes == "zyx" and len(size) == 3
        field = self._knots(size, rng) if deep else self._plane(size[-2:], rng)
        if not self.affine:
            return field
        reach = min(size[-2:]) // 3
        corners = np.array([[reach, reach], [reach, -reach], [-reach, -reach]], np.float32)
        moved = corners + rng.uniform(-self.affine, self.affine, (3, 2)).astype(np.float32)
        turn = np.asarray(cv2.getAffineTransform(moved, corners), np.float64)
        return Bend(field, turn)

    def _plane(self, size: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
        noise = rng.random((*size, 2), np.float32) * np.float32(2) - np.float32(1)
        blurred = cv2.GaussianBlur(noise, (0, 0), self.sigma)
        return np.multiply(blurred, self.alpha, dtype=np.float32)

    def _knots(self, size: tuple[int, ...], rng: np.random.Generator) -> Knots:
        step = math.sqrt(3) * self.sigma  # a cubic B-spline has a variance of a third of its step
        counts = [max(math.ceil((side - 1) / step), 1) + 3 for side in size]
        noise = rng.random((3, *counts), np.float32) * np.float32(2) - np.float32(1)
        typical = self.alpha / self.sigma / math.sqrt(4 * math.pi)  # of noise with a spread of 1
        return Knots(noise * np.float32(typical / _SPREAD**1.5), step, size)

    def move(self, where: Where, picked: Moves | Bend) -> Where:
        """Add the displacement found at ``where``; then undo the turn."""
        if isinstance(picked, Bend):
            moved = self.move(where, picked.field)
            rows, columns = moved.rows, moved.columns
            (a, b, c), (d, e, f) = picked.turn.astype(np.float32)
            return moved._replace(
                rows=a * rows + b * columns + c, columns=d * rows + e * columns + f
            )
        if isinstance(picked, Knots):
            assert where.planes is not None  # knots are picked of blocks
            through, down, right = picked.at(where, where.planes)
            return Where(where.rows + down, where.columns + right, where.planes + through)
        rows, columns = np.broadcast_arrays(where.rows, where.columns)
        step = np.empty((*rows.shape, 2), np.float32)
        for at in np.ndindex(rows.shape[:-2]):
            step[at] = _at(picked, rows[at], columns[at])
        return where._replace(rows=rows + step[..., 0], columns=columns + step[..., 1])


def _at(
    field: NDArray[np.float32], rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the displacements of a plane at places from its centre, (H, W, 2)."""
    height, width = field.shape[:2]
    found = cv2.remap(
        field,
        columns + np.float32((width - 1) / 2),
        rows + np.float32((height - 1) / 2),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(found, np.float32)


def _places(side: int) -> NDArray[np.float32]:
    return np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
