"""Whether a score beats its baseline, and how surely.

The gap between score and baseline is compared with its standard error, from a jackknife over
folds, or over cases where there is one fold: the gap is taken once more without each fold, and the
spread of these gaps tells how far chance moves it. Below two standard errors either way a score is
called no better than its baseline.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.base import Metric
from lamina.public import VerbResult

EMPTY = "the all-empty baseline"
INPUT = "the input"

_SURE = 2.0  # standard errors
_MOST = 50  # parts that many cases are gathered into
_EQUAL = 1e-12  # of the size of the score: rounding

Tally = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict(VerbResult):
    """A score set against its baseline."""

    words: Literal["better than", "no better than", "worse than"]
    """What the comparison comes to."""
    baseline: str
    """What the score is compared with."""
    gap: float
    """Score minus baseline; the other way round where lower is better."""
    standard_error: float | None
    """Standard error of the gap; None: a single case has none."""
    over: Literal["folds", "cases"]
    """What the standard error is taken over."""
    count: int
    """Number of these."""

    def __str__(self) -> str:
        """Return one sentence, such as ``better than the input by 2.1 (9 standard errors ...)``."""
        size = "" if self.words == "no better than" else f" by {abs(self.gap):.4f}"
        return f"{self.words} {self.baseline}{size} ({self._how_sure()})"

    def _how_sure(self) -> str:
        where = f"over {self.count} {self.over}"
        if self.standard_error is None:
            return f"{self._gap()}a single case: no spread to compare with"
        if self.standard_error == 0:
            return f"{self._gap()}without any spread {where}"
        ratio = abs(self.gap) / self.standard_error
        return f"{self._gap()}{ratio:.1f} standard errors {where}"

    def _gap(self) -> str:
        return f"{self.gap:+.4f}, " if self.words == "no better than" else ""


def verdict(
    metric: Metric,
    scored: Sequence[Tally],
    baseline: Sequence[Tally],
    folds: Sequence[Hashable] | None = None,
    *,
    against: str = EMPTY,
) -> Verdict:
    """Compare a score with its baseline on the same cases.

    Args:
        metric: What both are scored by.
        scored: The metric's tally of each case, at least one.
        baseline: The same for the baseline.
        folds: Which fold held each case out; None, or all in one: the spread is over cases.
        against: What the baseline is called.

    Returns:
        The verdict; ``better than`` and ``worse than`` mean more than two standard errors.

    Source:
        The delete-a-group jackknife (Efron and Stein 1981, Kott 2001); for a mean over cases it
        is the textbook standard error of the mean.
    """
    gap = _gap(metric, scored, baseline)
    over, groups = _parts(len(scored), folds)
    error = None if len(groups) < 2 else _standard_error(metric, scored, baseline, groups)
    sure = _SURE * (error or 0.0)
    words: Any = "no better than"
    if abs(gap) > max(sure, _EQUAL):
        words = "better than" if gap > 0 else "worse than"
    count = len(set(folds)) if over == "folds" and folds is not None else len(scored)
    return Verdict(words, against, gap, error, over, count)


def _gap(metric: Metric, scored: Sequence[Tally], baseline: Sequence[Tally]) -> float:
    gap = metric.score(scored).value - metric.score(baseline).value
    return gap if metric.higher_is_better else -gap


def _parts(
    cases: int, folds: Sequence[Hashable] | None
) -> tuple[Literal["folds", "cases"], list[list[int]]]:
    """Return what is left out at a time, as numbers of cases."""
    if folds is not None and len(set(folds)) > 1:
        groups: dict[Hashable, list[int]] = {}
        for number, fold in enumerate(folds):
            groups.setdefault(fold, []).append(number)
        return "folds", list(groups.values())
    count = min(cases, _MOST)
    return "cases", [list(range(first, cases, count)) for first in range(count)]


def _standard_error(
    metric: Metric,
    scored: Sequence[Tally],
    baseline: Sequence[Tally],
    groups: Sequence[Sequence[int]],
) -> float:
    gaps = []
    for group in groups:
        out = set(group)
        left = [number for number in range(len(scored)) if number not in out]
        gaps.append(_gap(metric, [scored[n] for n in left], [baseline[n] for n in left]))
    values = np.asarray(gaps)
    count = len(values)
    error = math.sqrt((count - 1) / count * float(((values - values.mean()) ** 2).sum()))
    return 0.0 if error < _EQUAL else error
