"""The histograms of one class in all cases; those of many cases lie in files.

What is computed of entries is computed for some cases at a time, so that the memory it takes does
not grow with the number of cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lamina.result.expected.entries import Entries, Floats, Ints
from lamina.result.search.histogram import CODES, Counts
from lamina.result.search.kept_counts import KeptCounts

AT_ONCE = 1 << 20
"""Entries that are evaluated at a time; a case with more is evaluated alone."""


@dataclass(frozen=True)
class Column:
    """One class of N cases."""

    entries: Entries
    """Of all cases that there are."""

    truth: Floats
    """(N,) counted pixels of each case that belong to the class."""

    pixels: Floats
    """(N,) all pixels of each case."""

    counted: Floats
    """(N,) pixels of each case that count."""

    use: Ints | None = None
    """(N,) which of all cases they are; None: all of them."""

    @classmethod
    def of(cls, counts: Sequence[Counts]) -> Column:
        """Join the histograms of one class, one for each case."""
        kept = KeptCounts.of(counts)
        area = kept.joined("area")
        return cls.holding(
            Entries(
                starts=kept.starts,
                codes=kept.joined("codes"),
                area=area,
                predicted=area if kept.all_count else kept.joined("predicted"),
                positives=kept.joined("positives"),
                truth=kept.truth.astype(np.float64),
                pixels=kept.pixels.astype(np.float64),
                counted=kept.counted.astype(np.float64),
            )
        )

    @classmethod
    def holding(cls, entries: Entries) -> Column:
        """Return the column of all cases of ``entries``."""
        return cls(entries, entries.truth, entries.pixels, entries.counted)

    def __len__(self) -> int:
        return self.truth.size

    def take(self, use: Ints) -> Column:
        """Return the column of the cases ``use`` alone, in that order."""
        cases = use if self.use is None else self.use[use]
        if self._sizes[use].sum() <= AT_ONCE:
            return Column.holding(self.entries.take(cases))
        return Column(self.entries, self.truth[use], self.pixels[use], self.counted[use], cases)

    def parts(self) -> Iterator[tuple[slice, Entries]]:
        """Yield cases in a row, as many as are evaluated at a time, with their entries."""
        ends = np.cumsum(self._sizes)
        first = 0
        while first < len(self):
            before = ends[first - 1] if first else 0
            stop = int(np.searchsorted(ends, before + AT_ONCE, side="right"))
            stop = max(stop, first + 1)
            here = slice(first, stop)
            if self.use is None:
                yield here, self.entries.between(first, stop)
            else:
                yield here, self.entries.take(self.use[here])
            first = stop

    def per_code(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return counted and positive pixels of each code, (CODES,) each, cases weighted (N,)."""
        counted, positive = np.zeros(CODES), np.zeros(CODES)
        rest, missed = np.zeros(len(self)), np.zeros(len(self))
        for here, part in self.parts():
            spread = part.spread(weights[here])
            counted += np.bincount(part.codes, part.predicted * spread, minlength=CODES)
            positive += np.bincount(part.codes, part.positives * spread, minlength=CODES)
            rest[here] = part.counted - part.sums(part.predicted)
            missed[here] = part.truth - part.sums(part.positives)
        counted[0] += float((weights * rest).sum())
        positive[0] += float((weights * missed).sum())
        return counted, positive

    def above(self, codes: Ints) -> tuple[Floats, Floats]:
        """Return counted and right pixels above a code of each case, (N,) each."""
        predicted, hits = np.zeros(len(self)), np.zeros(len(self))
        for here, part in self.parts():
            predicted[here], hits[here] = part.above(codes[here])
        return predicted, hits

    @property
    def _sizes(self) -> Ints:
        sizes = np.diff(self.entries.starts)
        return sizes if self.use is None else sizes[self.use]
