"""The 95 % Hausdorff distance of masks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.surfaces import surface_distances
from lamina.model.metrics.base import ClassMetric, Score
from lamina.model.metrics.surface import WHY, Spacing, compared
from lamina.task import Aim

_PERCENTILE = 95.0
_NONE = -1.0  # in a tally: both masks are empty


class Hd95(ClassMetric):
    """The larger of the two 95th percentiles of distances between surfaces; lower is better.

    A surface is made of the pixels of a mask that touch, face to face, a pixel outside of it or
    the border of the image. From each surface pixel of either mask the distance to the nearest
    surface pixel of the other is taken (Euclidean, in three axes of a volume). Equal to MONAI's
    ``compute_hausdorff_distance(percentile=95)``.

    Where both masks are empty the distance is 0. Where one is, there is no distance, and the
    diagonal of the image counts, the largest distance that can be.
    """

    kind: Literal["hd95"] = "hd95"
    values: ClassVar[bool] = False

    over: Literal["image", "image_class"] = "image_class"
    """An image with all classes merged, or an image and class; then the mean. A volume is one
    image."""

    empty: Literal["zero", "skip"] = "zero"
    """Value where both masks are empty; skip leaves them out of the mean."""

    spacing: Spacing | None = None
    """Distance of neighbouring pixels along each axis in the order of the array (rows, columns),
    such as [3.0, 0.7, 0.7] mm; null: 1 pixel."""

    ignore_first: bool | None = None
    """Leave out class 0; null: where classes exclude each other, whose first is the background."""

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return (K + 1, 1): the distance of each class and of any; -1 where both masks are empty.

        Pixels that are not valid are in neither mask. The row of an ignored class is -1.

        Raises:
            ValueError: shapes differ.
            RecipeError: ``ignore_first`` leaves no class, or ``spacing`` does not fit the axes.
        """
        rows = np.full((len(answer) + 1, 1), _NONE)
        masks = compared(answer, target, valid, first=self.first, spacing=self.spacing)
        for row, mine, true in masks:
            rows[row] = self._distance(mine, true)
        return rows

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the mean over units, and each class's mean over images.

        Raises:
            ValueError: there are no tallies.
        """
        rows = list(tallies)
        if not rows:
            raise ValueError("a score needs at least one tally")
        distances = np.stack(rows)[..., 0]  # (images, K + 1)
        distances[distances == _NONE] = 0.0 if self.empty == "zero" else np.nan
        units = distances[:, -1:] if self.over == "image" else distances[:, self.first : -1]
        classes = [
            None if k < self.first else _mean(distances[:, k])
            for k in range(distances.shape[1] - 1)
        ]
        return Score(_mean(units) or 0.0, tuple(classes))

    def aim(self, outputs: int) -> Aim:
        """Return Dice: a search cannot measure distances anew for each threshold."""
        over = "case" if self.over == "image_class" or outputs == 1 else "case_foreground"
        return Aim.model_validate({"over": over, "instead": WHY})

    @property
    def higher_is_better(self) -> bool:
        """False: a distance."""
        return False

    @property
    def title(self) -> str:
        """Name, unit, scope and rules."""
        unit = "pixels" if self.spacing is None else "units of spacing"
        scope = "image, any class" if self.over == "image" else "image and class"
        without = ", without class 0" if self.ignore_first else ""
        rule = "left out" if self.empty == "skip" else "= 0"
        return (
            f"95 % Hausdorff distance in {unit} per {scope}{without}; empty against empty {rule}, "
            "one empty = the image's diagonal"
        )

    def _distance(self, mine: NDArray[np.bool_], true: NDArray[np.bool_]) -> float:
        there = mine.any(), true.any()
        if not any(there):
            return _NONE
        if not all(there):
            steps = self.spacing or (1.0,) * mine.ndim
            return math.hypot(*((n - 1) * s for n, s in zip(mine.shape, steps, strict=True)))
        both = surface_distances(mine, true, self.spacing)
        return max(float(np.percentile(distances, _PERCENTILE)) for distances in both)


def _mean(values: NDArray[np.float64]) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None
