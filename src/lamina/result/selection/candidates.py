"""The decisions that a choice is made among, each judged on histograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lamina.result.calibration import Method
from lamina.result.expected.column import Column
from lamina.result.expected.cut import DICE, Weights
from lamina.result.expected.fit import ClassExpected, Empty, above, decide, fit_class
from lamina.result.search.histogram import code_of
from lamina.result.selection.ratio import Floats, Ints, Parts


@dataclass(frozen=True)
class Score:
    """What a decision is judged by."""

    weights: Weights = DICE
    empty: Empty = "one"
    """Value where neither mask nor truth has a pixel: 1, 0, or such a case does not count."""

    pooled: bool = False
    """Whether the pixels of all cases are pooled, class by class."""

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

    @property
    def nothing(self) -> float:
        """Score of a class of which nothing counts."""
        return float(self.empty != "zero")


@dataclass(frozen=True)
class Plain:
    """One fixed threshold for all classes; 1: nothing is ever predicted."""

    name: str
    threshold: float
    columns: Sequence[Column]
    score: Score

    def fit(self, use: Ints) -> None:
        """Nothing is fitted."""
        del use

    def judge(self, fitted: None, use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        del fitted
        code = code_of(self.threshold)
        return _judged(
            self.score,
            [column.take(use) for column in self.columns],
            [np.full(use.size, code) for _ in self.columns],
        )


@dataclass(frozen=True)
class Expected:
    """The mask with the highest expected score, from calibrated probabilities."""

    columns: Sequence[Column]
    groups: Ints
    score: Score
    method: Method
    default: float
    """Threshold of classes that too few images show."""

    name: str = "expected"

    def fit(self, use: Ints) -> tuple[ClassExpected, ...]:
        """Return the fit of each class."""
        return tuple(
            fit_class(
                column.take(use),
                self.groups[use],
                self.score.weights,
                method=self.method,
                default=self.default,
            )
            for column in self.columns
        )

    def judge(self, fitted: Sequence[ClassExpected], use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        columns = [column.take(use) for column in self.columns]
        empty = "zero" if self.score.pooled else self.score.empty
        codes = [
            decide(column, one, self.score.weights, empty)
            for column, one in zip(columns, fitted, strict=True)
        ]
        return _judged(self.score, columns, codes)


def _judged(score: Score, columns: Sequence[Column], codes: Sequence[Ints]) -> Parts:
    rows = [
        score.parts(*above(column, code), column.truth)
        for column, code in zip(columns, codes, strict=True)
    ]
    return Parts(
        np.stack([row[0] for row in rows], axis=1),
        np.stack([row[1] for row in rows], axis=1),
        score.nothing,
    )
