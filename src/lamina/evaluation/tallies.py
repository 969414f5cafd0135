"""What scoring gathers, case by case: small tallies, never the predictions."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.targets.ground_truth import nothing, truth
from lamina.data.units import unit_of, values
from lamina.evaluation.score_result import BestThreshold, ClassScore
from lamina.evaluation.verdict import INPUT, Verdict, verdict
from lamina.geometry.region import Region
from lamina.model.metrics import AnyMetric, CountMetric, DiceScore, Precision, Recall
from lamina.model.metrics.counts import counts
from lamina.result.search.histogram import (
    CODES,
    VALUES,
    Counts,
    auc,
    code_of,
    count,
    highest,
)
from lamina.task import Task
from lamina.volume import read_all

_PART = 2**24  # pixels of an image that are read at a time

_EMPTY_RULES = {
    "one": "an empty prediction of an empty target counts as 1",
    "zero": "an empty prediction of an empty target counts as 0",
    "skip": "empty predictions of empty targets are left out",
}


Part = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.bool_] | None]
"""Answer, decided masks (or the answer again), truth, each (K, *S), and valid (*S) or None."""


@dataclass(frozen=True)
class _Counted:
    """What is kept of a case, or of a part of one."""

    masks: NDArray[np.float64]
    """Counts of the decided masks, (K + 1, 3)."""

    metric: NDArray[np.float64]
    """The metric's tally."""

    nothing: NDArray[np.float64]
    """The metric's tally, were nothing predicted."""

    highest: NDArray[np.float64]
    """Highest probability of each class and of any."""

    shown: NDArray[np.float64]
    """Pixels above the threshold for any class: all, those that count, and the right ones."""


class MaskTallies:
    """Counts of masks, highest probabilities, and one histogram of the foreground."""

    def __init__(
        self,
        metric: AnyMetric,
        task: Task,
        *,
        foreground: float | None = None,
        foreground_area: int = 0,
    ) -> None:
        """Begin with nothing.

        Args:
            metric: What is scored.
            task: What outputs mean.
            foreground: Threshold for any class on the highest map; None: union of the masks.
            foreground_area: Cases with fewer pixels above it show none.
        """
        self._metric, self._task, self._threshold = metric, task, foreground
        self._least = foreground_area
        self._first = int(task.exclusive)  # background is no foreground
        self._cases: list[_Counted] = []
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
        return self.add_parts([(prob, masks, target, valid)])

    def add_parts(self, parts: Iterable[Part]) -> NDArray[np.float64]:
        """Count one case that comes in parts, each as for ``add``; the metric's tallies add up.

        Raises:
            ValueError: there is no part.
        """
        tallied = [self._counted(*part) for part in parts]
        if not tallied:
            raise ValueError("a case has at least one part")
        case = _Counted(
            np.sum([counted.masks for counted in tallied], axis=0),
            np.sum([counted.metric for counted in tallied], axis=0),
            np.sum([counted.nothing for counted in tallied], axis=0),
            np.max([counted.highest for counted in tallied], axis=0),
            np.sum([counted.shown for counted in tallied], axis=0),
        )
        self._cases.append(case)
        return case.metric

    def take(self, other: MaskTallies) -> None:
        """Add the cases of another, after those that are here."""
        self._cases += other._cases
        self._predicted += other._predicted
        self._hits += other._hits
        self._truth += other._truth

    @property
    def of_cases(self) -> list[NDArray[np.float64]]:
        """The metric's tally of each case, in order."""
        return [case.metric for case in self._cases]

    @property
    def of_baseline(self) -> list[NDArray[np.float64]]:
        """The same, were nothing predicted."""
        return [case.nothing for case in self._cases]

    @property
    def wrong(self) -> float:
        """Pixels of the last case that are not as the truth, summed over all classes."""
        classes = self._cases[-1].masks[:-1]  # the last row is their union
        return float((classes[:, 1] + classes[:, 2] - 2 * classes[:, 0]).sum())

    def _counted(
        self,
        prob: NDArray[Any],
        masks: NDArray[np.bool_],
        target: NDArray[np.bool_],
        valid: NDArray[np.bool_] | None,
    ) -> _Counted:
        tally = counts(masks, target, valid, ignore_first=self._task.exclusive)
        mine, metric = tally, self._metric
        if not isinstance(metric, CountMetric) or bool(metric.ignore_first) != self._task.exclusive:
            mine = metric.tally(prob if metric.soft else masks, target, valid)
        foreground = highest(prob[self._first :], 0)
        per_class = highest(prob.reshape(len(prob), -1), 1)
        histogram = count(foreground, np.asarray(target[self._first :].any(axis=0)), valid)
        self._predicted[histogram.codes] += histogram.predicted
        self._hits[histogram.codes] += histogram.positives
        self._truth += histogram.truth
        return _Counted(
            tally,
            mine,
            metric.tally(nothing(target, self._task), target, valid),
            np.append(per_class, per_class[self._first :].max()).astype(np.float64),
            self._shown(histogram),
        )

    def _shown(self, histogram: Counts) -> NDArray[np.float64]:
        above = histogram.codes > code_of(1.0 if self._threshold is None else self._threshold)
        return np.asarray(
            [
                column[above].sum(dtype=np.int64)
                for column in (histogram.area, histogram.predicted, histogram.positives)
            ],
            np.float64,
        )

    def summary(self, folds: Sequence[Hashable] | None = None) -> dict[str, Any]:
        """Return the scores over all cases, as fields of ``ScoreResult``.

        Args:
            folds: Which fold held each case out, in the order in which they were added; None: none
                did, or it is not known.
        """
        metric, exclusive = self._metric, self._task.exclusive
        scored, empty = metric.score(self.of_cases), metric.score(self.of_baseline)
        pooled = DiceScore(over="pooled", ignore_first=exclusive).score(self._tallies)
        foreground = DiceScore(over="foreground", ignore_first=exclusive).score(self._tallies)
        best, threshold = self._best_foreground()
        rule = getattr(metric, "empty", None)
        return {
            "metric": metric.title,
            "value": scored.value,
            "baseline_empty": empty.value,
            "verdict": verdict(metric, self.of_cases, self.of_baseline, folds),
            "empty_rule": None if rule is None else _EMPTY_RULES[rule],
            "foreground_dice": (foreground.value if self._threshold is None else self._gated()),
            "foreground_threshold": self._threshold,
            "foreground_area": self._least,
            "foreground_dice_of_masks": foreground.value,
            "foreground_dice_best": BestThreshold(best, threshold),
            "pooled_dice": pooled.value,
            "auc": self._auc(-1),
            "classes": self._classes(scored.classes, pooled.classes),
            "cases": len(self._cases),
            "cases_with_any": self._present(-1),
        }

    def _classes(
        self, values: tuple[float | None, ...], pooled: tuple[float | None, ...]
    ) -> tuple[ClassScore, ...]:
        precision = Precision(over="pooled", empty="skip").score(self._tallies).classes
        recall = Recall(over="pooled", empty="skip").score(self._tallies).classes
        names = self._task.names or ()
        return tuple(
            ClassScore(
                name=names[k],
                value=values[k],
                pooled_dice=pooled[k],
                images=self._present(k),
                images_predicted=sum(bool(tally[k, 1]) for tally in self._tallies),
                precision=precision[k],
                recall=recall[k],
                auc=self._auc(k),
            )
            for k in range(self._first, self._task.outputs)
        )

    @property
    def _tallies(self) -> list[NDArray[np.float64]]:
        return [case.masks for case in self._cases]

    def _present(self, k: int) -> int:
        return sum(bool(tally[k, 2]) for tally in self._tallies)

    def _auc(self, k: int) -> float | None:
        present = [tally[k, 2] > 0 for tally in self._tallies]
        return auc([case.highest[k] for case in self._cases], present)

    def _gated(self) -> float:
        """Return Dice of the pooled foreground by the decision's threshold and minimum area."""
        shown = [case.shown for case in self._cases if case.shown[0] >= self._least]
        predicted, hits = np.sum(shown, axis=0)[1:] if shown else (0.0, 0.0)
        total = predicted + self._truth
        return float(2 * hits / total) if total else 1.0

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
        self._inputs: list[NDArray[np.float64]] = []

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
        return self.add_parts([(prob, answer, target, valid)])

    def add_parts(self, parts: Iterable[Part]) -> NDArray[np.float64]:
        """Count one case that comes in parts, each as for ``add``; the metric's tallies add up.

        Raises:
            ValueError: there is no part.
        """
        tallied = [self._metric.tally(answer, target, valid) for _, answer, target, valid in parts]
        if not tallied:
            raise ValueError("a case has at least one part")
        self._tallies.append(np.sum(tallied, axis=0))
        return self._tallies[-1]

    def take(self, other: ValueTallies) -> None:
        """Add the cases of another, after those that are here."""
        self._tallies += other._tallies
        self._inputs += other._inputs

    def _verdict(self, folds: Sequence[Hashable] | None) -> Verdict | None:
        if len(self._inputs) != len(self._tallies):
            return None
        return verdict(self._metric, self._tallies, self._inputs, folds, against=INPUT)

    def add_input(self, parts: Iterable[Part]) -> None:
        """Count what a case was restored from, in parts as for ``add``."""
        tallied = [self._metric.tally(image, target, valid) for _, image, target, valid in parts]
        self._inputs.append(np.sum(tallied, axis=0))

    @property
    def of_cases(self) -> list[NDArray[np.float64]]:
        """The metric's tally of each case, in order."""
        return self._tallies

    @property
    def of_baseline(self) -> list[NDArray[np.float64]]:
        """The same of what cases were restored from; empty where it is not known of all."""
        return self._inputs if len(self._inputs) == len(self._tallies) else []

    @property
    def wrong(self) -> float:
        """Summed error of the last case."""
        return float(self._tallies[-1][:, 0].sum())

    def summary(self, folds: Sequence[Hashable] | None = None) -> dict[str, Any]:
        """Return the scores over all cases, as fields of ``ScoreResult``; ``folds`` as of masks."""
        scored = self._metric.score(self._tallies)
        names = self._task.names or ()
        return {
            "metric": self._metric.title,
            "value": scored.value,
            "baseline_empty": None,
            "baseline_input": self._metric.score(self._inputs).value if self._inputs else None,
            "verdict": self._verdict(folds),
            "classes": tuple(
                ClassScore(name, value) for name, value in zip(names, scored.classes, strict=True)
            ),
            "cases": len(self._tallies),
        }


def input_parts(case: Case, box: Region, task: Task, *, whole: bool) -> Iterator[Part]:
    """Yield the image of a case as if it were the answer, in parts along the first axis.

    Args:
        case: With as many channels as the task has outputs.
        box: What counts of it.
        task: A restore task.
        whole: Whether all of ``box`` is one part.
    """
    unit = task.unit if case.image.dtype.kind == "f" else unit_of(case.image.dtype)
    scale = task.model_copy(update={"unit": unit})
    thick = box.shape[0] if whole else max(1, _PART // max(prod(box.shape[1:]), 1))
    for top in range(box.start[0], box.stop[0], thick):
        stop = min(top + thick, box.stop[0])
        part = case.crop(Region((top, *box.start[1:]), (stop, *box.stop[1:])), case.id)
        image = values(read_all(part.image), scale, case.image.dtype)
        yield image, image, *truth(part, task)
