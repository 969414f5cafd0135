"""The histograms of one class in some cases as flat arrays, evaluated for all of them at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Entries:
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

    def __len__(self) -> int:
        return self.truth.size

    def take(self, use: Ints) -> Entries:
        """Return the entries of the cases ``use`` alone, in that order."""
        lengths = np.diff(self.starts)[use]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        entries = np.repeat(self.starts[use] - starts[:-1], lengths) + np.arange(starts[-1])
        return self._of(use, starts.astype(np.int64), entries)

    def between(self, first: int, stop: int) -> Entries:
        """Return the entries of cases in a row; nothing is copied."""
        starts = self.starts[first : stop + 1]
        return self._of(slice(first, stop), starts - starts[0], slice(starts[0], starts[-1]))

    def _of(self, cases: Ints | slice, starts: Ints, entries: Ints | slice) -> Entries:
        area = self.area[entries]
        return Entries(
            starts,
            self.codes[entries],
            area,
            area if self.predicted is self.area else self.predicted[entries],
            self.positives[entries],
            self.truth[cases],
            self.pixels[cases],
            self.counted[cases],
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

    def above(self, codes: Ints) -> tuple[Floats, Floats]:
        """Return counted and right pixels above a code of each case, (N,) each."""
        chosen = self.codes.astype(np.int64) > self.spread(codes.astype(np.float64))
        many = self.sums(chosen.astype(np.float64)).astype(np.int64)
        entry = np.where(many > 0, self.starts[:-1] + many - 1, -1)
        sums: list[Floats] = []
        for values in (self.predicted, self.positives):
            total = np.concatenate([[0.0], np.cumsum(values)])
            sums.append(np.where(entry >= 0, total[entry + 1] - total[self.starts[:-1]], 0.0))
        return sums[0], sums[1]
