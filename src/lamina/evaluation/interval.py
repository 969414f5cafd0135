"""Intervals of scores by resampling groups: the bootstrap over what is independent."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.base import Metric

Tally = NDArray[np.float64]

DRAWS = 2000
"""Resamplings."""

FEWEST = 5
"""Groups below which no interval is told."""

_WORK = 2_000_000  # tallies scored in all; many cases are resampled less often
_SHARES = (2.5, 97.5)


@dataclass(frozen=True)
class Resampled:
    """A score, its baseline, and 95 % intervals over groups."""

    groups: int
    draws: int
    """How often groups were drawn; 0: too few groups."""
    score: tuple[float, float] | None
    """Interval of the score; None: too few groups."""
    gain: tuple[float, float] | None
    """Interval of score minus baseline, or the other way round where lower is better; None: too
    few groups, or no baseline."""
    classes: tuple[tuple[float, float] | None, ...]
    """Interval of each class; None: too few groups, or undefined in more than a tenth of draws."""

    @property
    def verdict(self) -> Literal["better", "not better", "worse", "cannot tell"]:
        """What the interval of the gain comes to."""
        if self.gain is None:
            return "cannot tell"
        low, high = self.gain
        return "better" if low > 0 else "worse" if high < 0 else "not better"


def resampled(
    metric: Metric,
    scored: Sequence[Tally],
    baseline: Sequence[Tally],
    groups: Sequence[Hashable],
    rng: np.random.Generator,
) -> Resampled:
    """Return intervals of a score by drawing whole groups with replacement.

    Args:
        metric: What scores.
        scored: The metric's tally of each case, at least one.
        baseline: The same for the baseline; empty: there is none.
        groups: Group of each case.
        rng: Where draws come from.

    Source:
        The percentile bootstrap over clusters (Davison and Hinkley 1997, section 3.8).
    """
    members: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    count, classes = len(members), len(metric.score(scored).classes)
    if count < FEWEST:
        return Resampled(count, 0, None, None, (None,) * classes)
    parts = list(members.values())
    draws = int(min(DRAWS, max(_WORK // len(scored), 200)))
    values, gains, by_class = np.empty(draws), np.empty(draws), np.empty((draws, classes))
    sign = 1 if metric.higher_is_better else -1
    for draw in range(draws):
        cases = [n for part in rng.integers(0, count, count) for n in parts[part]]
        found = metric.score([scored[n] for n in cases])
        values[draw] = found.value
        by_class[draw] = [np.nan if value is None else value for value in found.classes]
        if baseline:
            gains[draw] = sign * (found.value - metric.score([baseline[n] for n in cases]).value)
    return Resampled(
        count,
        draws,
        _interval(values),
        _interval(gains) if baseline else None,
        tuple(_interval(column) for column in by_class.T),
    )


def _interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    known = values[~np.isnan(values)]
    if known.size < 0.9 * values.size:
        return None
    low, high = np.percentile(known, _SHARES)
    return float(low), float(high)


def in_words(
    found: Resampled, names: tuple[str, str], scores: tuple[float, float], cases: str
) -> str:
    """Return whether the first of two is better than the second, as a sentence.

    Args:
        found: The first, with the second as its baseline.
        names: Of both.
        scores: Of both.
        cases: On what, such as ``12 cases``.
    """
    both = f"{scores[0]:.4f} against {scores[1]:.4f} on {cases}"
    if found.gain is None:
        return (
            f"Cannot tell whether {names[0]} is better than {names[1]}: {both}, of "
            f"{found.groups} groups; an interval needs {FEWEST}."
        )
    words = {"better": "better than", "worse": "worse than"}.get(found.verdict, "not better than")
    low, high = found.gain
    return (
        f"{names[0]} is {words} {names[1]}: {both}; 95 % interval of the difference {low:.4f} to "
        f"{high:.4f} over {found.groups} groups."
    )
