"""Which cases a report shows: worst, false alarms, misses, and some at random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lamina.reporting.judged_cases import ScoredCase, ScoredCases


@dataclass(frozen=True)
class Chosen:
    """A case that is shown for its group."""

    judged: ScoredCase
    more: int = 0
    """How many further cases of its group would be shown too."""


def worst(judgement: ScoredCases, count: int, *, higher_is_better: bool) -> list[Chosen]:
    """Return the cases with the worst score, one of each group.

    Among equal scores those with most wrong pixels come first. Cases without an error are left
    out.
    """
    sign = 1 if higher_is_better else -1
    ordered = sorted(
        (one for one in judgement.cases if one.wrong),
        key=lambda judged: (sign * judged.value, -judged.wrong, judged.case.id),
    )
    return _by_group(ordered, count, len(judgement.cases))


def false_alarms(judgement: ScoredCases, count: int) -> list[Chosen]:
    """Return cases that show no class and in which something is predicted, the most first."""
    found = [one for one in judgement.cases if one.pixels[1] and not one.pixels[2]]
    ordered = sorted(found, key=lambda judged: (-judged.pixels[1], judged.case.id))
    return _by_group(ordered, count, len(ordered))


def misses(judgement: ScoredCases, count: int) -> list[Chosen]:
    """Return cases that show a class of which no pixel is predicted, the largest first."""
    found = [one for one in judgement.cases if one.pixels[2] and not one.pixels[0]]
    ordered = sorted(found, key=lambda judged: (-judged.pixels[2], judged.case.id))
    return _by_group(ordered, count, len(ordered))


def drawn(judgement: ScoredCases, count: int, rng: np.random.Generator) -> list[Chosen]:
    """Return ``count`` cases drawn without looking at their scores, in the order of the run."""
    size = min(count, len(judgement.cases))
    order = sorted(rng.permutation(len(judgement.cases))[:size])
    return [Chosen(judgement.cases[n]) for n in order]


def _by_group(ordered: Iterable[ScoredCase], count: int, near: int) -> list[Chosen]:
    """Return the first of each group, with how many of the first ``near`` belong to it too."""
    of: dict[str, list[ScoredCase]] = {}
    sequence: Sequence[ScoredCase] = list(ordered)[:near]
    for judged in sequence:
        of.setdefault(judged.case.group, []).append(judged)
    return [Chosen(members[0], len(members) - 1) for members in list(of.values())[:count]]
