"""Structural similarity."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.errors import RecipeError
from lamina.geometry.similarity import similarity
from lamina.model.metrics.base import Metric, Score
from lamina.task import Aim


class Ssim(Metric):
    """Mean structural similarity (Wang et al. 2004), equal to scikit-image's.

    The denoising competition's score is ``span: 255, slices: [0, 1], trim: true`` on 8-bit
    values: all slices of both axes of all volumes, without the lowest and the highest.
    """

    kind: Literal["ssim"] = "ssim"

    span: float = Field(default=1.0, gt=0)
    """From the least to the greatest possible value: 1 for 0..1, 255 for 8 bit."""

    window: Literal["uniform", "gaussian"] = "uniform"
    """uniform: 7 pixels along each axis; gaussian: deviation 1.5 over 11."""

    sample: bool = True
    """Divide variances by n - 1 (scikit-image's default) in place of n (the paper)."""

    slices: tuple[int, ...] = ()
    """Score volumes slice by slice across these of their axes, counted from 0; none: in 3-D."""

    trim: bool = False
    """Leave the lowest and the highest value out of the mean, where there are three or more."""

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return (C, n, 2): of each channel and slice (or the whole) the sum and the windows.

        Raises:
            ValueError: shapes differ, or a side is shorter than the window.
        """
        if answer.shape != target.shape:
            raise ValueError(f"answer is {answer.shape}, target {target.shape}")
        rows = []
        for a, t in zip(answer, target, strict=True):
            parts = [
                similarity(
                    a[at],
                    t[at],
                    span=self.span,
                    window=self.window,
                    sample=self.sample,
                    valid=None if valid is None else valid[at],
                )
                for at in self._parts(a.shape)
            ]
            rows.append(parts)
        return np.array(rows, np.float64)

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the mean over images (or slices) and channels; parts without windows are out.

        Raises:
            ValueError: there are no tallies.
        """
        rows = list(tallies)
        if not rows:
            raise ValueError("a score needs at least one tally")
        tally = np.concatenate(rows, axis=1)  # (C, parts, 2)
        total, count = tally[..., 0], tally[..., 1]
        values = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        classes = tuple(self._mean(channel) for channel in values)
        return Score(self._mean(values.ravel()) or 0.0, classes)

    def aim(self, outputs: int) -> Aim:
        """Refuse: values are compared as they are.

        Raises:
            RecipeError: always.
        """
        raise RecipeError(
            "the recipe's metric is SSIM, which compares values; there is no decision to tune"
        )

    def _parts(self, shape: tuple[int, ...]) -> list[Any]:
        if len(shape) == 2 or not self.slices:
            return [...]
        return [
            (*[slice(None)] * axis, index) for axis in self.slices for index in range(shape[axis])
        ]

    def _mean(self, values: NDArray[np.float64]) -> float | None:
        ordered = np.sort(values[~np.isnan(values)])
        if self.trim and len(ordered) > 2:
            ordered = ordered[1:-1]
        return float(ordered.mean()) if len(ordered) else None

    @property
    def title(self) -> str:
        """Name, window and scope."""
        scope = "per slice" if self.slices else "per image"
        without = ", without the lowest and the highest" if self.trim else ""
        return f"SSIM ({self.window} window, range {self.span:g}) {scope}{without}"
