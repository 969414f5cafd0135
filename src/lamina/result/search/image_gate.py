"""Whether a case shows anything at all, decided apart from where: a threshold and a minimum area.

Pooled over all cases, a few pixels in each of many clean images weigh as much as one missed
defect; images with too little of anything are better left empty, as by a triplet (SIIM-24).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.histogram import Counts, code_of
from lamina.result.search.kept_counts import KeptCounts
from lamina.spec import Spec

LEVELS = np.arange(256) / 256
"""Thresholds that are tried; with each, all minimum areas that make a difference."""

_SAME = 1e-12
_TOGETHER = 1024  # cases that are written together

Pixels = NDArray[np.float64] | float


class Gate(Spec):
    """The best pair, on the cases it was chosen on."""

    threshold: float
    """A pixel shows something where its highest probability is above."""

    min_area: int
    """A case with fewer such pixels shows nothing; 0: every case shows what it has."""

    score: float
    """The aim with these numbers, all cases pooled."""

    cross: float | None
    """The aim when each fold is judged with the numbers chosen on the others; None: one fold."""


@dataclass(frozen=True)
class _Chosen:
    level: int
    min_area: int
    score: float


class Gates:
    """Pixels above every level: all, those that count, and the right ones, each (levels, N)."""

    def __init__(
        self, counts: Sequence[Counts], *, false_positive: float, false_negative: float
    ) -> None:
        """Prepare the search; the two numbers weigh wrong pixels, 0.5 and 0.5 for Dice."""
        codes = np.asarray([code_of(float(level)) for level in LEVELS])
        kept = KeptCounts.of(counts)
        tables = kept.room((3, LEVELS.size, len(kept)))
        for first in range(0, len(kept), _TOGETHER):
            some = [_above(count, codes) for count in kept[first : first + _TOGETHER]]
            tables[:, :, first : first + len(some)] = np.stack(some, axis=-1)
        self._area, self._predicted, self._hits = tables
        self._truth = kept.truth
        self._weights = (false_positive, false_negative)

    def best(self, folds: NDArray[np.int64]) -> Gate:
        """Return the pair that scores best on all cases, judged across ``folds`` (N,) as well."""
        chosen = self._choose(np.arange(len(folds)))
        cross = None
        numbers = np.unique(folds)
        if len(numbers) > 1:
            totals = np.zeros(3)
            for fold in numbers:
                rest = self._choose(np.flatnonzero(folds != fold))
                totals += self._counts(np.flatnonzero(folds == fold), rest)
            cross = float(self._value(*totals))
        return Gate(
            threshold=float(LEVELS[chosen.level]),
            min_area=chosen.min_area,
            score=chosen.score,
            cross=cross,
        )

    def _choose(self, use: NDArray[np.int64]) -> _Chosen:
        truth = float(self._truth[use].sum())
        best = _Chosen(len(LEVELS) - 1, 0, -1.0)
        for level in range(len(LEVELS)):
            area = self._area[level][use]
            order = np.argsort(-area, kind="stable")
            predicted = self._predicted[level][use[order]].cumsum(dtype=np.float64)
            hits = self._hits[level][use[order]].cumsum(dtype=np.float64)
            sorted_area = area[order]
            # a minimum area lets in all cases of that area: only the last of equals is a cut
            cuts = np.flatnonzero(np.append(sorted_area[:-1] > sorted_area[1:], True))
            values = self._value(predicted[cuts], hits[cuts], truth)
            at = int(values.argmax())
            if values[-1] >= values[at] - _SAME:  # all cases: one number less to be wrong about
                at = len(values) - 1
            if values[at] > best.score + _SAME:
                least = 0 if at == len(values) - 1 else int(sorted_area[cuts[at]])
                best = _Chosen(level, least, float(values[at]))
        return best

    def _counts(self, use: NDArray[np.int64], chosen: _Chosen) -> NDArray[np.float64]:
        shown = use[self._area[chosen.level][use] >= chosen.min_area]
        return np.asarray(
            [
                self._predicted[chosen.level][shown].sum(),
                self._hits[chosen.level][shown].sum(),
                self._truth[use].sum(),
            ],
            np.float64,
        )

    def _value(self, predicted: Pixels, hits: Pixels, truth: float) -> NDArray[np.float64]:
        more, less = self._weights
        below = hits + more * (predicted - hits) + less * (truth - hits)
        found = np.asarray(below, np.float64)
        return np.divide(hits, found, out=np.ones_like(found), where=found > 0)


def _above(counts: Counts, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (3, levels): pixels above each code, those that count, and the right ones."""
    rising = counts.codes[::-1]
    many = len(rising) - np.searchsorted(rising, codes, side="right")
    sums = [
        np.concatenate([[0], np.cumsum(column, dtype=np.int64)])
        for column in (counts.area, counts.predicted, counts.positives)
    ]
    return np.stack([sum_[many] for sum_ in sums])
