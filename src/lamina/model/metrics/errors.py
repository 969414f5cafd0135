"""Squared errors of values, the one tally of the metrics of restoration.

A tally is (C, 2) float64: the sum of squared errors and the number of pixels, per channel.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.errors import RecipeError
from lamina.model.metrics.base import Metric, Score
from lamina.task import Aim

_ROWS = 1 << 22  # values squared at a time, so that a volume needs no float64 copy of itself


def squared_errors(
    answer: NDArray[Any], target: NDArray[Any], valid: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return the tally of one case.

    Args:
        answer: (C, *S) values, any real type.
        target: (C, *S) values.
        valid: (*S) True where a pixel counts; None: all count.

    Returns:
        (C, 2) float64: sum of squared errors and number of pixels of each channel.

    Raises:
        ValueError: shapes differ.
    """
    if answer.shape != target.shape or (valid is not None and valid.shape != answer.shape[1:]):
        shape = None if valid is None else valid.shape
        raise ValueError(f"answer is {answer.shape}, target {target.shape}, valid {shape}")
    pick = slice(None) if valid is None else valid.ravel()
    rows = []
    for a, t in zip(answer, target, strict=True):
        mine, true = a.ravel()[pick], t.ravel()[pick]
        total = 0.0
        for at in range(0, mine.size, _ROWS):
            error = mine[at : at + _ROWS].astype(np.float64) - true[at : at + _ROWS]
            total += float(error @ error)
        rows.append((total, mine.size))
    return np.array(rows, dtype=np.float64)


class ErrorMetric(Metric):
    """A number made of mean squared errors; ``value`` is the mean over units that have pixels."""

    label: ClassVar[str]
    """Name in tables."""

    adds_up: ClassVar[bool] = True
    masks: ClassVar[bool] = False

    over: Literal["image", "pooled"] = "image"
    """One value per image and channel, then the mean; or all images of a channel pooled."""

    @abstractmethod
    def of(self, mse: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the value for each mean squared error; NaN stays NaN."""

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return ``squared_errors`` of the case, (C, 2)."""
        return squared_errors(answer, target, valid)

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the value; a channel without a valid pixel is None, and without any it is 0."""
        rows = list(tallies)
        if not rows:
            raise ValueError("a score needs at least one tally")
        tally = np.stack(rows)  # (images, C, 2)
        if self.over == "pooled":
            tally = tally.sum(axis=0, keepdims=True)
        total, pixels = tally[..., 0], tally[..., 1]
        mse = np.divide(total, pixels, out=np.full(total.shape, np.nan), where=pixels > 0)
        values = self.of(mse)
        has = ~np.isnan(values)
        classes = [
            float(values[has[:, c], c].mean()) if has[:, c].any() else None
            for c in range(values.shape[1])
        ]
        return Score(float(values[has].mean()) if has.any() else 0.0, tuple(classes))

    @property
    def title(self) -> str:
        """Name and scope."""
        scope = "per image and channel" if self.over == "image" else "all images pooled"
        return f"{self.label} {scope}"

    def aim(self, outputs: int) -> Aim:
        """Refuse: values are compared as they are.

        Raises:
            RecipeError: always.
        """
        raise RecipeError(
            f"the recipe's metric is {self.label}, which compares values; there is no decision to "
            "tune"
        )
