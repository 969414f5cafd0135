"""Decisions by expected score under calibrated probabilities, by image and pooled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lamina.result.calibration import Method, calibrate
from lamina.result.expected.column import Column
from lamina.result.expected.fit import FEWEST, ClassExpected, decide, fit_class, shown
from lamina.result.expected.pooled import pooled_threshold
from lamina.result.selection.candidates.plain import Default, Thresholds, judge
from lamina.result.selection.candidates.score import Score
from lamina.result.selection.ratio import Ints, Parts


@dataclass(frozen=True)
class _Calibrated:
    """What both kinds are fitted with."""

    columns: Sequence[Column]
    groups: Ints
    score: Score
    method: Method = "platt"
    moved: Method = "none"
    """Of the calibration of the default's 0.5."""

    name: str = "expected"


@dataclass(frozen=True)
class Expected(_Calibrated):
    """By image, the mask with the highest expected score."""

    def fit(self, use: Ints) -> tuple[ClassExpected, ...]:
        """Return the fit of each class; one that too few images show keeps the default."""
        defaults = Default(self.columns, self.score, self.groups, self.moved).fit(use)
        return tuple(
            fit_class(
                column.take(use),
                self.groups[use],
                self.score.weights,
                method=self.method,
                default=default,
            )
            for column, default in zip(self.columns, defaults, strict=True)
        )

    def judge(self, fitted: Sequence[ClassExpected], use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        columns = [column.take(use) for column in self.columns]
        codes = [
            decide(column, one, self.score.weights, self.score.empty)
            for column, one in zip(columns, fitted, strict=True)
        ]
        return self.score.cut(columns, codes)


@dataclass(frozen=True)
class PooledExpected(_Calibrated):
    """One threshold for each class, the best for the expected score of all pixels together."""

    def fit(self, use: Ints) -> Thresholds:
        """Return the threshold of each class; one that too few images show keeps the default."""
        thresholds = Default(self.columns, self.score, self.groups, self.moved).fit(use)
        found = []
        for column, default in zip(self.columns, thresholds, strict=True):
            here, groups = column.take(use), self.groups[use]
            if shown(here, groups) < FEWEST:
                found.append(default)
                continue
            calibration = calibrate(here, groups, self.method)
            found.append(pooled_threshold(here, calibration, self.score.weights))
        return tuple(found)

    def judge(self, fitted: Thresholds, use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        return judge(self.columns, self.score, fitted, use)
