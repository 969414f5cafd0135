"""Dice of thin masks that may lie a few pixels beside the truth."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.model.metrics.counts import check_masks, divide
from lamina.model.metrics.ratios import RatioMetric
from lamina.task import Aim


class TolerantDice(RatioMetric):
    """2 P R / (P + R), where pixels count as right within a distance of the other mask.

    P is the share of predicted pixels that have a true one within ``tolerance``, R the share of
    true pixels that have a predicted one; both follow the boundary measure of Martin et al. 2004
    (PAMI 26), without matching pixels one to one. Distances are measured within each slice of the
    first axis of a volume. With a tolerance of 0 this is Dice.
    """

    kind: Literal["tolerant_dice"] = "tolerant_dice"
    label: ClassVar[str] = "Dice"

    tolerance: float = Field(default=3.0, ge=0)
    """Maximum distance from pixel to pixel, in pixels (Euclidean)."""

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return (K + 1, 4): predicted pixels near true ones, predicted, true ones near, true.

        Pixels that are not valid are in neither mask, so that nothing is near to them. The row of
        an ignored class is 0.

        Raises:
            ValueError: shapes differ.
            RecipeError: ``ignore_first`` leaves no class.
        """
        check_masks(answer, target, valid, ignore_first=bool(self.ignore_first))
        first = self.first
        mine, true = answer.astype(bool, copy=False), target.astype(bool, copy=False)
        rows = np.zeros((len(mine) + 1, 4))
        for k in range(first, len(mine)):
            rows[k] = self._row(mine[k], true[k], valid)
        if len(mine) - first == 1:  # the union of one class is that class
            rows[-1] = rows[-2]
        else:
            union = np.logical_or.reduce
            rows[-1] = self._row(union(mine[first:]), union(true[first:]), valid)
        return rows

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return F1 of (..., 4) counts; 0 where one mask is empty, NaN where both are."""
        precision = np.nan_to_num(divide(tally[..., 0], tally[..., 1]))
        recall = np.nan_to_num(divide(tally[..., 2], tally[..., 3]))
        f1 = np.nan_to_num(divide(2 * precision * recall, precision + recall))
        return np.where(tally[..., 1] + tally[..., 3] > 0, f1, np.nan)

    def aim(self, outputs: int) -> Aim:
        """Return Dice without a tolerance: a search cannot measure distances anew each time."""
        why = None
        if self.tolerance >= 1:
            why = "the search counts pixels one by one and measures no distances"
        return self.searched(outputs, instead=why)

    @property
    def title(self) -> str:
        """Name with tolerance, scope and rule."""
        within = f"Dice within {self.tolerance:g} pixels"
        return super().title.replace("Dice", within, 1)

    def _row(
        self, mine: NDArray[np.bool_], true: NDArray[np.bool_], valid: NDArray[np.bool_] | None
    ) -> NDArray[np.float64]:
        if valid is not None:
            mine, true = mine & valid, true & valid
        size = mine.shape[-2:]
        row = np.zeros(4)
        for a, t in zip(mine.reshape(-1, *size), true.reshape(-1, *size), strict=True):
            predicted_near, true_near = self._near(a, t), self._near(t, a)
            row += np.array([predicted_near, np.count_nonzero(a), true_near, np.count_nonzero(t)])
        return row

    def _near(self, pixels: NDArray[np.bool_], goal: NDArray[np.bool_]) -> int:
        """Return how many of ``pixels`` (H, W) have one of ``goal`` within the tolerance."""
        if not goal.any() or not pixels.any():
            return 0
        far = np.ascontiguousarray(~goal).view(np.uint8)
        distance = cv2.distanceTransform(far, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[pixels]
        # squares are whole numbers: rounded, neither the root's float32 nor ours decides
        return int(np.count_nonzero(np.rint(distance * distance) <= self.tolerance**2 + 1e-6))
