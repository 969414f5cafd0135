"""Normalized surface distance of masks."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.geometry.surfaces import surface, surface_distances
from lamina.model.metrics.counts import divide
from lamina.model.metrics.ratios import RatioMetric
from lamina.model.metrics.surface import WHY, Spacing, compared
from lamina.task import Aim


class Nsd(RatioMetric):
    """Share of both surfaces that lies within a tolerance of the other one (surface Dice).

    A surface is made of the pixels of a mask that touch, face to face, a pixel outside of it or
    the border of the image; every surface pixel counts as one, as in MONAI's
    ``compute_surface_dice``. Distances are Euclidean, in three axes of a volume. Where one mask
    is empty the score is 0. (Nikolov et al. 2021, Clinically applicable segmentation of head and
    neck anatomy.)
    """

    kind: Literal["nsd"] = "nsd"
    label: ClassVar[str] = "Normalized surface distance"
    adds_up: ClassVar[bool] = False  # where a volume is cut, surfaces arise that it does not have

    tolerance: float = Field(default=2.0, ge=0)
    """Maximum distance between surfaces that counts as right, in pixels or units of spacing."""

    spacing: Spacing | None = None
    """Distance of neighbouring pixels along each axis in the order of the array (rows, columns),
    such as [3.0, 0.7, 0.7] mm; null: 1 pixel."""

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return (K + 1, 2): surface pixels of both masks within the tolerance, and all of them.

        Pixels that are not valid are in neither mask. The row of an ignored class is 0.

        Raises:
            ValueError: shapes differ.
            RecipeError: ``ignore_first`` leaves no class, or ``spacing`` does not fit the axes.
        """
        rows = np.zeros((len(answer) + 1, 2))
        masks = compared(answer, target, valid, first=self.first, spacing=self.spacing)
        for row, mine, true in masks:
            rows[row] = self._row(mine, true)
        return rows

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of (..., 2) counts; NaN where both masks are empty."""
        return divide(tally[..., 0], tally[..., 1])

    def aim(self, outputs: int) -> Aim:
        """Return Dice: a search cannot measure distances anew for each threshold."""
        return self.searched(outputs, instead=WHY)

    @property
    def title(self) -> str:
        """Name with tolerance, scope and rule."""
        unit = "pixels" if self.spacing is None else "units of spacing"
        name = f"{self.label} within {self.tolerance:g} {unit}"
        return super().title.replace(self.label, name, 1)

    def _row(self, mine: NDArray[np.bool_], true: NDArray[np.bool_]) -> tuple[int, int]:
        if not mine.any() or not true.any():
            return 0, int(np.count_nonzero(surface(mine)) + np.count_nonzero(surface(true)))
        distances = np.concatenate(surface_distances(mine, true, self.spacing))
        near = distances <= self.tolerance * (1 + 1e-9)  # roots are rounded
        return int(np.count_nonzero(near)), distances.size
