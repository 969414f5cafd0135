"""What scoring gathers, case by case: small tallies, never the predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics import AnyMetric, CountMetric, DiceScore, Precision, Recall
from lamina.model.metrics.counts import counts
from lamina.result.codes import CODES, VALUES, code_of, count
from lamina.result.detection import auc
from lamina.task import Task

_EMPTY_RULES = {
    "one": "nothing predicted where nothing is counts as 1",
    "zero": "nothing predicted where nothing is counts as 0",
    "skip": "a unit with nothing predicted and nothing there is left out",
}


class MaskTallies:
    """Counts of masks, highest probabilities, and one histogram of the foreground."""

    def __init__(self, metric: AnyMetric, task: Task, *, foreground: float | None = None) -> None:
        """``foreground``: threshold for any class on the highest map; None: union of the masks."""
        self._metric, self._task, self._threshold = metric, task, foreground
        self._first = int(task.exclusive)  # background is no foreground
        self._tallies: list[NDArray[np.float64]] = []
        self._metric_tallies: list[NDArray[np.float64]] = []
        self._nothing: list[NDArray[np.float64]] = []
        self._highest: list[NDArray[np.float64]] = []
        self._predicted = np.zeros(CODES)
        self._hits = np.zeros(CODES)
        self._truth = 0

    def add(
        self,
        prob: NDArray[Any],
        masks: NDArray[np.bool_],
        target: NDArray[np.bool_],
        valid: NDArray[np.bool_] | None,
    ) -> NDArray[np.float64]:
        """Count one case: probabilities, decided masks and truth (K, *S), valid (*S) or None.

        Returns:
            The metric's tally of the case.
        """
        tally = counts(masks, target, valid, ignore_first=self._task.exclusive)
        mine, metric = tally, self._metric
        if not isinstance(metric, CountMetric) or metric.ignore_first != self._task.exclusive:
            mine = metric.tally(masks, target, valid)
        nothing = np.zeros_like(masks)
        nothing[: self._first] = True
        self._tallies.append(tally)
        self._metric_tallies.append(mine)
        self._nothing.append(metric.tally(nothing, target, valid))
        foreground = prob[self._first :].max(axis=0)
        per_class = prob.reshape(len(prob), -1).max(axis=1)
        self._highest.append(np.append(per_class, foreground.max()).astype(np.float64))
        found = count(foreground, np.asarray(target[self._first :].any(axis=0)), valid)
        self._predicted[found.codes] += found.predicted
        self._hits[found.codes] += found.positives
        self._truth += found.truth
        return mine

    def summary(self) -> dict[str, Any]:
        """Return the scores over all cases as JSON values."""
        metric, exclusive = self._metric, self._task.exclusive
        found, nothing = metric.score(self._metric_tallies), metric.score(self._nothing)
        pooled = DiceScore(over="pooled", ignore_first=exclusive).score(self._tallies)
        foreground = DiceScore(over="foreground", ignore_first=exclusive).score(self._tallies)
        best, threshold = self._best_foreground()
        rule = getattr(metric, "empty", None)
        return {
            "metric": metric.title,
            "value": found.value,
            "baseline_empty": nothing.value,
            "empty_rule": None if rule is None else _EMPTY_RULES[rule],
            "foreground_dice": (
                foreground.value
                if self._threshold is None
                else float(self._foreground()[code_of(self._threshold)])
            ),
            "foreground_threshold": self._threshold,
            "foreground_dice_of_masks": foreground.value,
            "foreground_dice_best": {"value": best, "threshold": threshold},
            "pooled_dice": pooled.value,
            "auc": self._auc(-1),
            "classes": self._classes(found.classes, pooled.classes),
            "cases": len(self._tallies),
            "cases_with_any": self._present(-1),
        }

    def _classes(
        self, values: tuple[float | None, ...], pooled: tuple[float | None, ...]
    ) -> list[dict[str, Any]]:
        precision = Precision(over="pooled", empty="skip").score(self._tallies).classes
        recall = Recall(over="pooled", empty="skip").score(self._tallies).classes
        names = self._task.names or ()
        return [
            {
                "name": names[k],
                "value": values[k],
                "pooled_dice": pooled[k],
                "images": self._present(k),
                "images_predicted": sum(bool(tally[k, 1]) for tally in self._tallies),
                "precision": precision[k],
                "recall": recall[k],
                "auc": self._auc(k),
            }
            for k in range(self._first, self._task.outputs)
        ]

    def _present(self, k: int) -> int:
        return sum(bool(tally[k, 2]) for tally in self._tallies)

    def _auc(self, k: int) -> float | None:
        present = [tally[k, 2] > 0 for tally in self._tallies]
        return auc([highest[k] for highest in self._highest], present)

    def _best_foreground(self) -> tuple[float, float]:
        """Return the highest Dice of the pooled foreground over all thresholds, and where."""
        dice = self._foreground()
        best = int(dice.argmax())
        return float(dice[best]), float(VALUES[best])

    def _foreground(self) -> NDArray[np.float64]:
        """Return Dice of the pooled foreground at every threshold, (CODES,)."""
        above = [np.append(np.cumsum(a[::-1])[::-1][1:], 0) for a in (self._predicted, self._hits)]
        total = above[0] + self._truth
        dice = np.ones(CODES)
        np.divide(2 * above[1], total, out=dice, where=total > 0)
        return dice


class ValueTallies:
    """Errors of restored values."""

    def __init__(self, metric: AnyMetric, task: Task) -> None:
        self._metric, self._task = metric, task
        self._tallies: list[NDArray[np.float64]] = []

    def add(
        self,
        prob: NDArray[Any],
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None,
    ) -> NDArray[np.float64]:
        """Count one case: the answer twice (nothing is decided) and the truth (C, *S).

        Returns:
            The metric's tally of the case.
        """
        self._tallies.append(self._metric.tally(answer, target, valid))
        return self._tallies[-1]

    def summary(self) -> dict[str, Any]:
        """Return the scores over all cases as JSON values."""
        found = self._metric.score(self._tallies)
        names = self._task.names or ()
        return {
            "metric": self._metric.title,
            "value": found.value,
            "baseline_empty": None,
            "classes": [
                {"name": name, "value": value}
                for name, value in zip(names, found.classes, strict=True)
            ],
            "cases": len(self._tallies),
        }
