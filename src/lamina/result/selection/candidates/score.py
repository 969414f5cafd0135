"""What candidates are judged by: the aim of a metric, on counts of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamina.result.expected.column import Column
from lamina.result.expected.cut import DICE, Weights
from lamina.result.expected.fit import Empty
from lamina.result.selection.ratio import Floats, Ints, Parts
from lamina.task import Aim

_NOTHING = {"one": 1.0, "zero": 0.0, "skip": float("nan")}


@dataclass(frozen=True)
class Score:
    """What a decision is judged by."""

    weights: Weights = DICE
    empty: Empty = "one"
    """Value where neither mask nor truth has a pixel: 1, 0, or such a case does not count."""

    pooled: bool = False
    """Whether the pixels of all cases are pooled, class by class."""

    @classmethod
    def of(cls, aim: Aim) -> Score:
        """Return the score that an aim asks for."""
        return cls(
            Weights(aim.false_positive, aim.false_negative), aim.empty, pooled=not aim.by_case
        )

    def parts(self, predicted: Floats, hits: Floats, truth: Floats) -> tuple[Floats, Floats]:
        """Return what cases add above and below the line, (N,) each, from their pixel counts."""
        wrong = self.weights.false_positive * (predicted - hits)
        missed = self.weights.false_negative * (truth - hits)
        below = hits + wrong + missed
        if self.pooled:
            return hits, below
        value = np.divide(hits, below, out=np.zeros_like(hits), where=below > 0)
        nothing = (predicted == 0) & (truth == 0)
        value[nothing] = float(self.empty == "one")
        return value, np.where(nothing & (self.empty == "skip"), 0.0, 1.0)

    def judged(self, counts: Sequence[tuple[Floats, Floats, Floats]]) -> Parts:
        """Return the parts of a score from predicted, right and true pixels of each class.

        A pooled score is the mean over classes; else it is the mean over all images and classes.
        """
        rows = [self.parts(*count) for count in counts]
        one, two = (np.stack([row[i] for row in rows], axis=1) for i in (0, 1))
        if self.pooled:
            return Parts(one, two, _NOTHING[self.empty])
        return Parts(one.sum(axis=1, keepdims=True), two.sum(axis=1, keepdims=True), 0.0)

    def cut(self, columns: Sequence[Column], codes: Sequence[Ints]) -> Parts:
        """Judge columns whose cases are cut above these codes, (N,) for each column."""
        return self.judged(
            [
                (*column.above(code), column.truth)
                for column, code in zip(columns, codes, strict=True)
            ]
        )
