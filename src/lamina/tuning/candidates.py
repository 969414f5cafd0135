"""The decisions that ``tune`` chooses among, from the tables of the out-of-fold maps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.recipe.recipe import Recipe
from lamina.result.calibration import Method
from lamina.result.decisions import AnyDecision, Argmax, Threshold
from lamina.result.decisions import Expected as ExpectedDecision
from lamina.result.expected.column import Column
from lamina.result.expected.fit import FEWEST, ClassExpected, shown
from lamina.result.search.threshold import Tables
from lamina.result.search.triplet.search import TripletTables
from lamina.result.selection.candidates.counted import Counted
from lamina.result.selection.candidates.expected import Expected, PooledExpected
from lamina.result.selection.candidates.plain import HALF, NOTHING, Default, Plain
from lamina.result.selection.candidates.score import Score
from lamina.result.selection.candidates.searched import Searched, SearchedTriplet
from lamina.result.selection.cross_fit import Candidate
from lamina.result.selection.ratio import Ints
from lamina.task import Aim

SINGLE = "single"

WORDS = ("default", "expected", "threshold", SINGLE, "triplet")
"""What ``--decision`` can name."""


@dataclass(frozen=True)
class Candidates:
    """Candidates, the safest first, and what stands beside them for comparison."""

    listed: tuple[Candidate, ...]
    half: Plain
    nothing: Plain
    columns: tuple[Column, ...]
    """Thinned histograms of the classes that count, or of any class alone."""

    numbers: tuple[int, ...]
    """Which classes these are; (-1,): any."""

    groups: Ints
    """(N,) the group of each case."""

    recipe: Recipe
    aim: Aim

    calibrated: bool = False
    """Whether probabilities were calibrated before they were counted."""

    @property
    def names(self) -> list[str]:
        """What the candidates are called, the safest first."""
        return [one.name for one in self.listed]

    def find(self, name: str) -> int:
        """Return the number of the candidate of that name."""
        return self.names.index(name)

    def decision(self, number: int) -> AnyDecision:
        """Return a decision that is no search, fitted on all cases."""
        candidate = self.listed[number]
        if isinstance(candidate, Counted):
            return Argmax()
        fitted = candidate.fit(np.arange(self.groups.size))
        if isinstance(candidate, Expected):
            return self._expected(fitted)
        start = self.recipe.decide if isinstance(self.recipe.decide, Threshold) else Threshold()
        changes = {"threshold": self._of_all(fitted), "min_area": 0, "min_component": 0}
        return start.model_copy(update=changes)

    def outlook(self) -> ExpectedDecision | None:
        """Return what tells presence and expected score of images; None where classes merge."""
        if self.aim.any_class:
            return None
        score = replace(Score.of(self.aim), pooled=False)
        method: Method = "none" if self.calibrated else "platt"
        candidate = Expected(self.columns, self.groups, score, method)
        return self._expected(candidate.fit(np.arange(self.groups.size)))

    def scarce(self) -> list[int]:
        """Return the classes that too few groups show to fit anything, by number."""
        pairs = zip(self.numbers, self.columns, strict=True)
        return [k for k, column in pairs if k >= 0 and shown(column, self.groups) < FEWEST]

    def _expected(self, fitted: tuple[ClassExpected, ...]) -> ExpectedDecision:
        classes = [ClassExpected()] * self.recipe.task.outputs
        for k, one in zip(self.numbers, fitted, strict=True):
            classes[k] = one
        untuned = ExpectedDecision(classes=tuple(classes))
        return untuned.suited(self.aim, exclusive=self.recipe.task.exclusive)

    def _of_all(self, fitted: tuple[float, ...]) -> float | tuple[float, ...]:
        if len(set(fitted)) == 1:
            return fitted[0]
        thresholds = [HALF] * self.recipe.task.outputs
        for k, value in zip(self.numbers, fitted, strict=True):
            thresholds[k] = value
        return tuple(thresholds)


def candidates_of(
    recipe: Recipe,
    aim: Aim,
    groups: Ints,
    tables: Tables,
    triplets: TripletTables | None,
    most_probable: NDArray[np.int64] | None = None,
    methods: tuple[Method, Method] = ("platt", "none"),
    *,
    forced: str | None = None,
) -> Candidates:
    """Return the decisions to choose among.

    Args:
        recipe: Its metric says which classes count.
        aim: What the metric asks for.
        groups: (N,) the group of each case.
        tables: Histograms of all cases.
        triplets: Counts for triplets; None: triplets are no candidates.
        most_probable: (N, K, 3) predicted, right and true pixels where each pixel belongs to its
            most probable class, which is then the default; None: a threshold of 0.5 is.
        methods: Calibration within the expected score, and of the default's 0.5.
        forced: What the command names; thresholds alone are judged only then.
    """
    score, outputs = Score.of(aim), recipe.task.outputs
    numbers = (-1,) if aim.any_class else tuple(range(recipe.metric.first, outputs))
    counts = tables.thinned()
    columns = tuple(Column.of(counts[k]) for k in numbers)
    search = tables.columns(counts, aim, numbers)
    listed: list[Any] = _defaults(columns, score, groups, methods[1])
    if most_probable is not None:
        listed = [Counted(most_probable[:, list(numbers)], score)]
    if not aim.any_class:
        kind = PooledExpected if score.pooled else Expected
        listed.append(kind(columns, groups, score, *methods))
    if most_probable is None or forced == "threshold":  # masks by thresholds may overlap
        listed.append(Searched(search, score))
    if forced == SINGLE:
        listed.append(Searched(search, score, areas=False))
    if triplets is not None:
        tried = [triplets.column(k, aim) for k in numbers]
        listed.append(SearchedTriplet(tried, score, triplets.choice))
    return Candidates(
        tuple(listed),
        Plain("threshold 0.5", HALF, columns, score),
        Plain("nothing predicted", NOTHING, columns, score),
        columns,
        numbers,
        groups,
        recipe,
        aim,
        calibrated=methods[0] == "none",
    )


def _defaults(columns: tuple[Column, ...], score: Score, groups: Ints, method: Method) -> list[Any]:
    """Return the safe default, and the same class by class where there are several."""
    listed = [Default(columns, score, groups, method).settled()]
    if len(columns) > 1:
        listed.append(Default(columns, score, groups, method, by_class=True))
    return listed
