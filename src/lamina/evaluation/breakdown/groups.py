"""The metric of each group of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lamina.model.metrics.base import Metric
from lamina.public import VerbResult


@dataclass(frozen=True)
class GroupScore(VerbResult):
    """The metric over the cases of one group."""

    group: str
    """As the catalog calls it."""
    cases: int
    """Number of cases scored."""
    value: float
    """The metric over these cases."""
    baseline: float | None
    """The same for the all-empty prediction, or for the input of restored values; None: there is
    none."""


def group_scores(
    metric: Metric,
    groups: Sequence[str],
    tallies: Sequence[NDArray[Any]],
    baselines: Sequence[NDArray[Any]],
) -> tuple[GroupScore, ...]:
    """Return a row for each group, the worst first; equal ones by name.

    Args:
        metric: What scored.
        groups: Group of each case.
        tallies: The metric's tally of each case.
        baselines: The same for the baseline; empty: there is none.
    """
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    rows = [
        GroupScore(
            group,
            len(numbers),
            metric.score([tallies[n] for n in numbers]).value,
            metric.score([baselines[n] for n in numbers]).value if baselines else None,
        )
        for group, numbers in members.items()
    ]
    sign = 1 if metric.higher_is_better else -1
    return tuple(sorted(rows, key=lambda row: (sign * row.value, row.group)))
