"""Which decision is expected to score best on new groups.

Every candidate is fitted and judged with groups left out: groups are dealt to five parts, three
times, and each part is decided by what was fitted on the others, calibration and search included.
The choice starts from the safest candidate and moves only where the gain, paired over groups, is
above the 0.95 quantile of Student's t times its standard error (Varma and Simon 2006 on why
scores of tuned procedures must be nested).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from lamina import seeding
from lamina.result.selection.ratio import Floats, Ints, Parts, places, standard_error, student_95

PARTS = 5
ROUNDS = 3
FEWEST_GROUPS = 12
"""Groups below which no interval is given: its coverage would be far from nominal."""

_FULL_COVERAGE = 30
_SAME = 1e-12


class Candidate(Protocol):
    """A way to decide that is fitted on some cases and judged on others."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    def fit(self, use: Ints) -> Any:
        """Return what the cases ``use`` say."""
        ...

    def judge(self, fitted: Any, use: Ints) -> Parts:
        """Return what the cases ``use`` add to the score when decided by ``fitted``."""
        ...


@dataclass(frozen=True)
class Judged:
    """How one candidate fares."""

    name: str
    apparent: float
    """Score on the cases that it was fitted on."""

    expected: float
    """Score on groups left out, mean over three rounds."""

    error: float
    """Standard error of ``expected`` over groups; infinite with one group."""

    gain: float | None
    """Expected score above that of the choice at its turn; None: the first."""

    needed: float | None
    """The gain that was needed to be chosen; None: the first."""

    over_first: float
    """Expected score above that of the first candidate; 0: the first."""

    over_first_half: float
    """Half width of the 90 % interval of ``over_first``, paired over groups."""


@dataclass(frozen=True)
class Selection:
    """The chosen candidate, and how all fare."""

    chosen: int
    groups: int
    candidates: tuple[Judged, ...]

    @property
    def best(self) -> Judged:
        """The chosen candidate."""
        return self.candidates[self.chosen]

    def half(self, error: float) -> float | None:
        """Return half the 90 % interval of a standard error; None: too few groups for one."""
        if self.groups < FEWEST_GROUPS:
            return None
        return student_95(self.groups - 1) * error

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 90 % interval of the chosen score on new groups; None: too few groups for one."""
        half = self.half(self.best.error)
        if half is None:
            return None
        return max(self.best.expected - half, 0.0), min(self.best.expected + half, 1.0)

    @property
    def coverage(self) -> str:
        """What the interval covers, in words, as measured in simulations."""
        if self.groups < FEWEST_GROUPS:
            return "too few groups for an interval"
        return "90 %" if self.groups >= _FULL_COVERAGE else "about 80 %"


def select(candidates: Sequence[Candidate], groups: Ints, *, seed: int = 0) -> Selection:
    """Choose among candidates, the safest first.

    With one group nothing can be left out: the first candidate is kept, and the expected score of
    each is that on its own cases with an infinite error.

    Args:
        candidates: At least one, the safest first; the others are preferred in this order only
            where they are better beyond doubt.
        groups: (N,) the group of each case.
        seed: Of the dealing of groups.
    """
    everything = np.arange(groups.size)
    apparent = [one.judge(one.fit(everything), everything) for one in candidates]
    many = int(places(groups).max(initial=-1)) + 1
    crossed = apparent if many < 2 else cross_fitted(candidates, groups, seed)
    chosen = 0
    judged = []
    factor = student_95(many - 1)
    for number, (candidate, parts) in enumerate(zip(candidates, crossed, strict=True)):
        gain = needed = None
        if number:
            now = crossed[chosen]
            gain = parts.score() - now.score()
            needed = factor * _paired_error(parts, now, groups)
            if many > 1 and gain > needed + _SAME:
                chosen = number
        judged.append(
            Judged(
                name=candidate.name,
                apparent=apparent[number].score(),
                expected=parts.score(),
                error=standard_error(parts.influence(groups)),
                gain=gain,
                needed=needed,
                over_first=parts.score() - crossed[0].score(),
                over_first_half=factor * _paired_error(parts, crossed[0], groups) if number else 0,
            )
        )
    return Selection(chosen=chosen, groups=many, candidates=tuple(judged))


def _paired_error(one: Parts, other: Parts, groups: Ints) -> float:
    """Return the standard error over groups of the difference of two scores."""
    return standard_error(one.influence(groups) - other.influence(groups))


def cross_fitted(candidates: Sequence[Candidate], groups: Ints, seed: int) -> list[Parts]:
    """Return what each case adds when decided without its group, the mean over rounds."""
    place = places(groups)
    many = int(place.max()) + 1
    sums: list[tuple[Floats, Floats] | None] = [None] * len(candidates)
    nothing = 1.0
    for turn in range(ROUNDS):
        dealt = seeding.rng(seed, turn).permutation(many) % min(PARTS, many)
        for part in np.unique(dealt):
            out = np.flatnonzero(dealt[place] == part)
            rest = np.flatnonzero(dealt[place] != part)
            for number, candidate in enumerate(candidates):
                parts = candidate.judge(candidate.fit(rest), out)
                shape = (groups.size, parts.above.shape[1])
                above, below = sums[number] or (np.zeros(shape), np.zeros(shape))
                above[out] += parts.above / ROUNDS
                below[out] += parts.below / ROUNDS
                sums[number], nothing = (above, below), parts.nothing
    return [Parts(*pair, nothing) for pair in sums if pair is not None]
