"""Stretching and squeezing along a grid."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.data.transforms.base import Warp, Where

Knots = tuple[NDArray[np.float64], NDArray[np.float64]]


class GridDistort(Warp):
    """Cut rows and columns into ``steps`` bands and give each band a random width.

    The bands together stay as wide as the region, so that its border stays where it is.
    """

    kind: Literal["grid_distort"] = "grid_distort"

    steps: int = Field(default=5, ge=2)
    """Number of bands along each axis."""

    limit: float = Field(default=0.3, ge=0, lt=1)
    """Maximum change of a band's width, as a fraction of it, before all are made to fit."""

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[Knots, Knots] | None:
        """Return for rows and columns the band edges and how far each edge is displaced."""
        if rng.random() >= self.p:
            return None
        return self._knots(size[-2], rng), self._knots(size[-1], rng)

    def _knots(self, side: int, rng: np.random.Generator) -> Knots:
        edges = np.linspace(-side / 2, side / 2, self.steps + 1)
        widths = 1 + rng.uniform(-self.limit, self.limit, self.steps)
        source = np.concatenate([[0.0], np.cumsum(widths / widths.sum())]) * side - side / 2
        return edges, source - edges

    def move(self, where: Where, picked: tuple[Knots, Knots]) -> Where:
        """Displace rows and columns apart; outside the region nothing moves."""
        rows, columns = (
            axis + np.interp(axis, *knots).astype(np.float32)
            for axis, knots in zip(where[:2], picked, strict=True)
        )
        return where._replace(rows=rows, columns=columns)
