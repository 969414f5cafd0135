"""The mask with the highest expected score under calibrated probabilities, image by image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.errors import RecipeError
from lamina.result.decisions.base import Decision
from lamina.result.decisions.threshold import Threshold
from lamina.result.expected.column import Column
from lamina.result.expected.cut import Weights
from lamina.result.expected.fit import ClassExpected, decide, presence_and_hope
from lamina.result.search.histogram import VALUES, Counts, count


class Expected(Decision):
    """Per image and class the number of most probable pixels with the highest expected score.

    A class is left empty where the score allows it and that is worth more in expectation. Needs
    the numbers that `lamina tune` fits on out-of-fold predictions; without them, probabilities
    count as calibrated and every image as showing every class.

    Source: Dai and Li, RankDice, JMLR 24(224), 2023, and the NeurIPS 2025 reciprocal-moment form.
    """

    kind: Literal["expected"] = "expected"

    classes: tuple[ClassExpected, ...] = ()
    """Calibration, presence and level of each class, or of the foreground alone where the score
    lets any class count; set by `lamina tune`."""

    false_positive: float = Field(default=0.5, ge=0)
    """Weight of a false positive pixel in the score; 0.5 for Dice, 1 for IoU."""

    false_negative: float = Field(default=0.5, ge=0)
    """Weight of a false negative pixel in the score."""

    empty: Literal["one", "zero", "skip"] = "one"
    """Score of an empty mask where the class is absent; only `one` leaves images empty."""

    foreground: bool = False
    """Whether any class counts: one threshold for all classes, from their highest probability."""

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (K, *S) bool masks of one whole case.

        Raises:
            RecipeError: ``classes`` has numbers for another number of classes.
        """
        return self.for_case(self.histograms(prob))(prob)

    def histograms(self, prob: NDArray[Any]) -> list[Counts]:
        """Return the histogram of each class, or the one of the foreground, of (K, *S) maps."""
        maps = prob.max(axis=0, keepdims=True) if self.foreground else prob
        none = np.zeros(maps.shape[1:], np.bool_)
        return [count(one, none) for one in maps]

    def for_case(self, histograms: Sequence[Counts]) -> Threshold:
        """Return the plain thresholds that decide a case with these histograms.

        Args:
            histograms: As ``histograms`` returns them; those of slabs may be added up.
        """
        codes = [
            decide(Column.of([one]), fitted, self.weights, self.empty)[0]
            for one, fitted in zip(histograms, self._fitted(len(histograms)), strict=True)
        ]
        thresholds = tuple(float(VALUES[code]) for code in codes)
        return Threshold(threshold=thresholds[0] if self.foreground else thresholds)

    def outlook(self, histograms: Sequence[Counts]) -> list[tuple[float, float]]:
        """Return for each class the probability that the case shows it, and the expected score.

        The score is that of the best mask, given that the class is present, times how much of
        such promises was reached out of fold.
        """
        rows = []
        for one, fitted in zip(histograms, self._fitted(len(histograms)), strict=True):
            presence, hope = presence_and_hope(Column.of([one]), fitted, self.weights)
            rows.append((float(presence[0]), float(hope[0])))
        return rows

    @property
    def weights(self) -> Weights:
        """What the score counts."""
        return Weights(self.false_positive, self.false_negative)

    @property
    def by_histogram(self) -> bool:
        """A case is decided by its histograms, so that volumes stream in two passes."""
        return True

    def _fitted(self, classes: int) -> tuple[ClassExpected, ...]:
        if not self.classes:
            return (ClassExpected(),) * classes
        if len(self.classes) != classes:
            raise RecipeError(
                f"decide.classes has numbers for {len(self.classes)} classes, and there are "
                f"{classes}; run lamina tune again"
            )
        return self.classes
