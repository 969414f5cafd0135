"""The exact searches as candidates: thresholds with minimum areas, and triplets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lamina.result.search.result import Choice
from lamina.result.search.threshold import SearchColumn
from lamina.result.search.triplet.columns import ImageColumn
from lamina.result.search.triplet.result import NEVER, Triple
from lamina.result.selection.candidates.score import Score
from lamina.result.selection.ratio import Ints, Parts


@dataclass(frozen=True)
class Searched:
    """The best threshold and minimum area of each class."""

    columns: Sequence[SearchColumn]
    score: Score
    areas: bool = True
    """Whether minimum areas are searched, too."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return "threshold" if self.areas else "single"

    def fit(self, use: Ints) -> tuple[Choice, ...]:
        """Return the best choice of each class on the cases ``use``."""
        return tuple(column.choose(use, areas=self.areas) for column in self.columns)

    def judge(self, fitted: Sequence[Choice], use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        return self.score.judged(
            [column.taken(use, choice) for column, choice in zip(self.columns, fitted, strict=True)]
        )


@dataclass(frozen=True)
class SearchedTriplet:
    """The best triplet of each class."""

    columns: Sequence[ImageColumn]
    score: Score
    choice: Literal["best", "flat"]
    name: str = "triplet"

    def fit(self, use: Ints) -> tuple[Triple, ...]:
        """Return the triplet of each class that the rule chooses on the cases ``use``."""
        found = []
        for column in self.columns:
            land, empty = column.landscape(use), column.score([(use, NEVER)])
            found.append(land.highest(empty) if self.choice == "best" else land.flattest(empty))
        return tuple(found)

    def judge(self, fitted: Sequence[Triple], use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score."""
        counts = []
        for column, triple in zip(self.columns, fitted, strict=True):
            predicted, hits = column.decided(use, triple)
            truth = column.truth[use]
            counts.append((predicted.astype(float), hits.astype(float), truth.astype(float)))
        return self.score.judged(counts)
