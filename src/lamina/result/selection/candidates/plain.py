"""Decisions without a search: 0.5, nothing, and the safer of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lamina.result.calibration import Method, calibrate
from lamina.result.expected.column import Column
from lamina.result.search.histogram import VALUES, code_of
from lamina.result.selection.candidates.score import Score
from lamina.result.selection.ratio import Ints, Parts

HALF, NOTHING = 0.5, 1.0

Thresholds = tuple[float, ...]
"""One threshold for each column; 1: the class is never predicted."""


@dataclass(frozen=True)
class Plain:
    """One fixed threshold for all classes; 1: nothing is ever predicted."""

    name: str
    threshold: float
    columns: Sequence[Column]
    score: Score

    def fit(self, use: Ints) -> Thresholds:
        """Nothing is fitted."""
        del use
        return (self.threshold,) * len(self.columns)

    def judge(self, fitted: Thresholds, use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        return judge(self.columns, self.score, fitted, use)


@dataclass(frozen=True)
class Default:
    """The safe default: a threshold of 0.5, or nothing where that scores higher."""

    columns: Sequence[Column]
    score: Score
    groups: Ints | None = None
    """(N,) the group of each case, for ``method``."""

    method: Method = "none"
    """Of the calibration that moves what is stored for a calibrated 0.5."""

    by_class: bool = False
    """Whether each class takes the better of the two by itself."""

    keeps: Literal["half", "nothing"] | None = None
    """Which of the two it is; None: the better one of each fit."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "0.5 or nothing, by class" if self.by_class else "default"

    def settled(self) -> Default:
        """Return the default that takes, whatever it is fitted on, what is better on all cases."""
        everything = np.arange(len(self.columns[0]))
        half = self._half(everything)
        nothing = self._better(self.columns, half, everything) != half
        return replace(self, keeps="nothing" if nothing else "half")

    def fit(self, use: Ints) -> Thresholds:
        """Return the better of both on the cases ``use``; of equals 0.5."""
        if self.keeps == "nothing":
            return (NOTHING,) * len(self.columns)
        half = self._half(use)
        if self.keeps == "half":
            return half
        if self.by_class:
            pairs = zip(self.columns, half, strict=True)
            return tuple(self._better([column], (value,), use)[0] for column, value in pairs)
        return self._better(self.columns, half, use)

    def judge(self, fitted: Thresholds, use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        return judge(self.columns, self.score, fitted, use)

    def _half(self, use: Ints) -> Thresholds:
        """Return the stored probability of each class whose calibrated one is 0.5."""
        if self.method == "none" or self.groups is None:
            return (HALF,) * len(self.columns)
        found = []
        for column in self.columns:
            table = calibrate(column.take(use), self.groups[use], self.method).table()
            found.append(float(VALUES[max(int(np.searchsorted(table, HALF, side="right")) - 1, 0)]))
        return tuple(found)

    def _better(self, columns: Sequence[Column], half: Thresholds, use: Ints) -> Thresholds:
        nothing = (NOTHING,) * len(half)
        scores = [judge(columns, self.score, one, use).score() for one in (half, nothing)]
        return half if scores[0] >= scores[1] else nothing


def judge(columns: Sequence[Column], score: Score, thresholds: Thresholds, use: Ints) -> Parts:
    """Judge columns by one threshold each on the cases ``use``."""
    codes = [np.full(use.size, code_of(value), np.int64) for value in thresholds]
    return score.cut([column.take(use) for column in columns], codes)
