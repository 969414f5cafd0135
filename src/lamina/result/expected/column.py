"""The histograms of one class in all cases as flat arrays, evaluated for all cases at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.result.search.histogram import CODES, Counts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """One class of N cases: the entries of a case are its codes from high to low, without code 0.

    Counts of entries stay as small as they come, unsigned; sums of them are float64.
    """

    starts: Ints
    """(N + 1,) where the entries of each case begin."""

    codes: NDArray[np.uint16]
    """(entries,) float16 codes of the probabilities."""

    area: NDArray[Any]
    """(entries,) pixels of that code; what a decision sees."""

    predicted: NDArray[Any]
    """(entries,) those of them that count in the score."""

    positives: NDArray[Any]
    """(entries,) those of the counted ones that belong to the class."""

    truth: Floats
    """(N,) counted pixels that belong to the class, those of code 0 included."""

    pixels: Floats
    """(N,) all pixels of the case, those of code 0 included."""

    counted: Floats
    """(N,) pixels that count, those of code 0 included."""

    @classmethod
    def of(cls, counts: Sequence[Counts]) -> Column:
        """Join the histograms of one class, one for each case."""
        lengths = [case.codes.size for case in counts]
        empty = np.zeros(0, np.uint8)

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(case, name) for case in counts] or [empty])

        area = joined("area")
        alike = all(case.predicted is case.area for case in counts)
        return cls(
            starts=np.cumsum([0, *lengths], dtype=np.int64),
            codes=np.concatenate([np.zeros(0, np.uint16), *(case.codes for case in counts)]),
            area=area,
            predicted=area if alike else joined("predicted"),
            positives=joined("positives"),
            truth=np.asarray([case.truth for case in counts], np.float64),
            pixels=np.asarray([case.pixels for case in counts], np.float64),
            counted=np.asarray([case.counted for case in counts], np.float64),
        )

    def __len__(self) -> int:
        return self.truth.size

    def take(self, use: Ints) -> Column:
        """Return the column of the cases ``use`` alone, in that order."""
        lengths = np.diff(self.starts)[use]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        entries = np.repeat(self.starts[use] - starts[:-1], lengths) + np.arange(starts[-1])
        area = self.area[entries]
        return Column(
            starts.astype(np.int64),
            self.codes[entries],
            area,
            area if self.predicted is self.area else self.predicted[entries],
            self.positives[entries],
            self.truth[use],
            self.pixels[use],
            self.counted[use],
        )

    def spread(self, values: Floats) -> Floats:
        """Repeat (N,) values of cases for each of their entries."""
        return np.repeat(values, np.diff(self.starts))

    def running(self, values: NDArray[Any]) -> Floats:
        """Return sums over the entries of a case down to each entry, for (entries,) values."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[1:] - self.spread(total[self.starts[:-1]]), np.float64)

    def sums(self, values: NDArray[Any]) -> Floats:
        """Return the (N,) sums over the entries of each case."""
        total = np.concatenate([[0.0], np.cumsum(values)])
        return np.asarray(total[self.starts[1:]] - total[self.starts[:-1]], np.float64)

    def highest(self, values: Floats) -> tuple[Ints, Floats]:
        """Return the (N,) entry with the highest value of each case, the first of equals.

        A case without entries has the entry -1 and the value 0.
        """
        best = np.zeros(len(self))
        at = np.full(len(self), -1, np.int64)
        filled = np.flatnonzero(np.diff(self.starts) > 0)
        if filled.size:
            first = self.starts[filled]
            best[filled] = np.maximum.reduceat(values, first)
            peaks = np.flatnonzero(values >= self.spread(best))
            cases = np.searchsorted(self.starts, peaks, side="right") - 1
            at[cases[::-1]] = peaks[::-1]  # written last: the first of equals
        return at, best

    def per_code(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return counted and positive pixels of each code, (CODES,) each, cases weighted (N,)."""
        spread = self.spread(weights)
        counted, positive = (
            np.bincount(self.codes, values * spread, minlength=CODES).astype(np.float64)
            for values in (self.predicted, self.positives)
        )
        counted[0] += float((weights * (self.counted - self.sums(self.predicted))).sum())
        positive[0] += float((weights * (self.truth - self.sums(self.positives))).sum())
        return counted, positive
