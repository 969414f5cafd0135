"""The recipe's metric of each decision that ``tune`` tells of, on the out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.ground_truth import nothing
from lamina.evaluation.verdict import Verdict, verdict
from lamina.model.metrics import AnyMetric, Score
from lamina.result.decisions import Decision, Threshold
from lamina.task import Task

Judged = tuple[NDArray[Any], NDArray[Any], NDArray[np.bool_] | None, int]
"""Probabilities and truth (K, *S), where pixels count (*S), and the fold of a held-out case."""

PLAIN = Threshold()
"""What nobody tuned: a threshold of 0.5."""


@dataclass(frozen=True)
class Figures:
    """What is told of the decision found."""

    scores: Mapping[str, Score]
    """``tuned``, ``at_half`` (a threshold of 0.5), ``baseline_empty`` (no object at all) and, where
    there are several folds, ``nested``."""
    verdict: Verdict
    """``nested``, or else ``tuned``, set against ``baseline_empty``."""


def figures(
    metric: AnyMetric,
    task: Task,
    decision: Decision,
    by_fold: Mapping[int, Decision],
    cases: Iterable[Judged],
) -> Figures:
    """Return ``metric.score`` of each decision; a search only promises what it counted.

    Args:
        metric: The recipe's.
        task: What outputs mean.
        decision: The one found.
        by_fold: For each fold, the one found on the others; none: there is one fold.
        cases: Every out-of-fold case, one in memory at a time.
    """
    tallies: dict[str, list[NDArray[np.float64]]] = {}
    folds: list[int] = []
    for prob, target, valid, fold in cases:
        masks = {
            "tuned": decision(prob),
            "at_half": PLAIN(prob),
            "baseline_empty": nothing(target, task),
        }
        if by_fold:
            masks["nested"] = by_fold[fold](prob)
        for name, mask in masks.items():
            tallies.setdefault(name, []).append(metric.tally(mask, target, valid))
        folds.append(fold)
    honest = tallies["nested" if by_fold else "tuned"]
    return Figures(
        {name: metric.score(rows) for name, rows in tallies.items()},
        verdict(metric, honest, tallies["baseline_empty"], folds),
    )
