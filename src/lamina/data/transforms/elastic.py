"""Smooth random displacement."""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.data.transforms.base import Warp, Where


class Bend(NamedTuple):
    """A displacement (H, W, 2), and where a turn of the whole region comes from, 2 x 3."""

    field: NDArray[np.float32]
    turn: NDArray[np.float64]


class Elastic(Warp):
    """Move every pixel by a smooth random field, perhaps after an affine turn of the whole.

    Uniform noise in -1..1 per pixel and axis, blurred by a Gaussian and multiplied by ``alpha``
    (Simard et al. 2003). The typical move is about 0.16 alpha / sigma pixels.
    """

    kind: Literal["elastic"] = "elastic"

    alpha: float = Field(default=120.0, ge=0)  # SIIM-7
    """Strength, in pixels before the blur."""

    sigma: float = Field(default=6.0, gt=0)
    """Width of the blur, in pixels."""

    affine: float = Field(default=0.0, ge=0)  # SIIM-7
    """Maximum move, in pixels, of each of three corners of a square in the region's middle, a
    third of its shorter side from the centre; the region first follows them."""

    def pick(
        self, size: tuple[int, int], rng: np.random.Generator
    ) -> NDArray[np.float32] | Bend | None:
        """Return the displacement, (H, W, 2) float32 in pixels: rows, then columns."""
        if rng.random() >= self.p:
            return None
        noise = rng.random((*size, 2), np.float32) * np.float32(2) - np.float32(1)
        blurred = cv2.GaussianBlur(noise, (0, 0), self.sigma)
        field = np.multiply(blurred, self.alpha, dtype=np.float32)
        if not self.affine:
            return field
        reach = min(size) // 3
        corners = np.array([[reach, reach], [reach, -reach], [-reach, -reach]], np.float32)
        moved = corners + rng.uniform(-self.affine, self.affine, (3, 2)).astype(np.float32)
        turn = np.asarray(cv2.getAffineTransform(moved, corners), np.float64)
        return Bend(field, turn)

    def move(self, where: Where, picked: NDArray[np.float32] | Bend) -> Where:
        """Add the displacement found at ``where``; then undo the turn."""
        if isinstance(picked, Bend):
            rows, columns = self.move(where, picked.field)
            (a, b, c), (d, e, f) = picked.turn.astype(np.float32)
            return Where(a * rows + b * columns + c, d * rows + e * columns + f)
        height, width = picked.shape[:2]
        rows, columns = np.broadcast_arrays(where.rows, where.columns)
        at = cv2.remap(
            picked,
            columns + np.float32((width - 1) / 2),
            rows + np.float32((height - 1) / 2),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        step = np.asarray(at, np.float32)
        return Where(rows + step[..., 0], columns + step[..., 1])
