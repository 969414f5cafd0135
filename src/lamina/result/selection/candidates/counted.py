"""A decision without numbers, such as the most probable class, judged by counts of its masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.result.selection.candidates.score import Score
from lamina.result.selection.ratio import Ints, Parts


class MaskCounts:
    """Predicted, right and true pixels of masks, case by case."""

    def __init__(self) -> None:
        """Begin with no case."""
        self._rows: list[NDArray[np.int64]] = []

    def add(
        self,
        masks: NDArray[np.bool_],
        target: NDArray[np.bool_],
        valid: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count one case: masks and truth (K, *S), where pixels count (*S); None: all."""
        where = np.ones(masks.shape[1:], np.bool_) if valid is None else valid
        rows = [
            [np.count_nonzero(one & where) for one in (mask, mask & true, true)]
            for mask, true in zip(masks, target, strict=True)
        ]
        self._rows.append(np.asarray(rows, np.int64))

    def table(self) -> NDArray[np.int64]:
        """Return (N, K, 3): predicted, right and true pixels."""
        return np.stack(self._rows)


@dataclass(frozen=True)
class Counted:
    """A decision that is the same whatever it is fitted on."""

    counts: NDArray[np.int64]
    """(N, K, 3) of the classes that count: predicted, right and true pixels."""

    score: Score
    name: str = "default"

    def fit(self, use: Ints) -> None:
        """Nothing is fitted."""
        del use

    def judge(self, fitted: None, use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        del fitted
        rows = self.counts[use].astype(np.float64)
        return self.score.judged(
            [(rows[:, k, 0], rows[:, k, 1], rows[:, k, 2]) for k in range(rows.shape[1])]
        )
