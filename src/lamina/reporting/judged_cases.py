"""Every out-of-fold case, scored by the decision of the bundle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.evaluation.breakdown import SizeTallies, group_scores
from lamina.evaluation.tallies import MaskTallies, ValueTallies, input_parts
from lamina.folders import fold_folders, fold_number
from lamina.geometry.region import Region
from lamina.prediction.folder.manifest import check_place
from lamina.prediction.folder.predictions import HEADER, Predictions
from lamina.progress import Bar
from lamina.reporting.run_contents import Run
from lamina.result.search.histogram import CODES, count
from lamina.task import Task

_OUT_OF_FOLD = "oof"


@dataclass(frozen=True)
class ScoredCase:
    """A held-out case with its score."""

    case: Case
    fold: int
    value: float
    """The metric of this case alone."""
    wrong: float
    """Pixels (of all classes) that are not as the truth, or the summed error of values."""
    tally: NDArray[np.float64]
    predictions: Predictions
    expected: float | None = None
    """Score expected of the case, the mean over the classes that count; None: not tuned."""
    pixels: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Pixels of any class that are right, predicted, and true; zeros for values."""

    def answer(self) -> NDArray[Any]:
        """Return the decided masks, or the values of restore."""
        prob = self.predictions.prob(self.case.id)
        return prob if self.predictions.task.kind == "restore" else self.predictions.decision(prob)


@dataclass(frozen=True)
class PixelCounts:
    """Pixels of all held-out cases together, those that count."""

    predicted: NDArray[np.float64]
    """(K, CODES) by probability."""
    hits: NDArray[np.float64]
    """(K, CODES) those that belong to the class."""
    truth: NDArray[np.float64]
    """(K,) pixels that belong to each class."""
    confusion: NDArray[np.int64] | None
    """(K, K) true class down, predicted class across; None: classes may overlap."""


@dataclass(frozen=True)
class ScoredCases:
    """All held-out cases, and what ``lamina score`` would say of them together.

    The summary has ``by_size`` and ``by_group`` too, the latter empty where each case or all
    cases are one group.
    """

    cases: Sequence[ScoredCase]
    summary: Mapping[str, Any] | None
    baseline: Sequence[NDArray[np.float64]] = ()
    """The metric's tally of each case were nothing predicted, or of its input; empty: unknown."""
    pixels: PixelCounts | None = None
    """None: values, or no case."""


class _Pixels:
    """Sums for ``PixelCounts``, case by case."""

    def __init__(self, task: Task) -> None:
        classes = task.outputs
        self._predicted, self._hits = np.zeros((classes, CODES)), np.zeros((classes, CODES))
        self._truth = np.zeros(classes)
        self._confusion = np.zeros((classes, classes), np.int64) if task.exclusive else None

    def add(
        self,
        prob: NDArray[Any],
        masks: NDArray[np.bool_],
        target: NDArray[np.bool_],
        valid: NDArray[np.bool_] | None,
    ) -> None:
        for k, (values, true) in enumerate(zip(prob, target, strict=True)):
            found = count(values, np.asarray(true), valid)
            self._predicted[k, found.codes] += found.predicted
            self._predicted[k, 0] += found.counted - found.predicted.sum()
            self._hits[k, found.codes] += found.positives
            self._hits[k, 0] += found.truth - found.positives.sum()
            self._truth[k] += found.truth
        if self._confusion is not None:
            pairs = target.argmax(axis=0) * len(masks) + masks.argmax(axis=0)
            pairs = pairs.reshape(-1) if valid is None else pairs[valid]
            self._confusion += np.bincount(pairs, minlength=len(masks) ** 2).reshape(
                self._confusion.shape
            )

    @property
    def counts(self) -> PixelCounts:
        return PixelCounts(self._predicted, self._hits, self._truth, self._confusion)


def judge(run: Run, cases: Mapping[str, Case]) -> ScoredCases:
    """Judge what the folds predicted of ``cases``; pixels of one case are in memory at a time.

    Args:
        run: Whose decision judges.
        cases: By id; others that the folds predicted are left out.

    Raises:
        DataError: held-out predictions are damaged, or lie elsewhere than their case.
    """
    recipe = run.recipe
    task = recipe.task
    values = task.kind == "restore"
    tallies = ValueTallies(recipe.metric, task) if values else MaskTallies(recipe.metric, task)
    sizes, pixels = SizeTallies(task), _Pixels(task)
    judged: list[ScoredCase] = []
    with Bar("scoring held-out cases", len(cases)) as bar:
        for fold, predictions, id in _held_out(run):
            if id not in cases:
                continue
            case = cases[id]
            check_place(predictions.case(id), case.image)
            prob = predictions.prob(id)
            answer = prob if values else predictions.decision(prob)
            target, valid = truth(case, task)
            tally = tallies.add(prob, answer, target, valid)
            if isinstance(tallies, ValueTallies):
                if case.image.channels == task.outputs:
                    box = Region.whole(case.image.shape)
                    tallies.add_input(input_parts(case, box, task, whole=True))
            else:
                sizes.add(answer, target, valid)
                pixels.add(prob, answer, target, valid)
            judged.append(
                ScoredCase(
                    case,
                    fold,
                    recipe.metric.score([tally]).value,
                    tallies.wrong,
                    tally,
                    predictions,
                    _expected(run, prob),
                    _any_class(answer, target, valid, first=int(task.exclusive), values=values),
                )
            )
            bar.advance()
    if not judged:
        return ScoredCases(judged, None)
    groups = [one.case.group for one in judged]
    by_group = group_scores(recipe.metric, groups, tallies.of_cases, tallies.of_baseline)
    both = {"by_size": sizes.summary(), "by_group": by_group if _together(groups) else ()}
    summary = tallies.summary([one.fold for one in judged]) | both
    return ScoredCases(judged, summary, tallies.of_baseline, None if values else pixels.counts)


def _held_out(run: Run) -> Iterable[tuple[int, Predictions, str]]:
    for folder in fold_folders(run.folder):
        if not (folder / _OUT_OF_FOLD / HEADER).is_file():
            continue
        predictions = Predictions.open(folder / _OUT_OF_FOLD)
        predictions = predictions.with_decision(run.decision).with_calibration(run.calibration)
        for id in predictions.ids:
            yield fold_number(folder.name) or 0, predictions, id


def _any_class(
    answer: NDArray[Any],
    target: NDArray[Any],
    valid: NDArray[np.bool_] | None,
    *,
    first: int,
    values: bool,
) -> tuple[float, float, float]:
    if values:
        return (0.0, 0.0, 0.0)
    mine, true = answer[first:].any(axis=0), target[first:].any(axis=0)
    if valid is not None:
        mine, true = mine & valid, true & valid
    return (float((mine & true).sum()), float(mine.sum()), float(true.sum()))


def _together(groups: Sequence[str]) -> bool:
    """Whether there are several groups, and one of several cases."""
    return 1 < len(set(groups)) < len(groups)


def _expected(run: Run, prob: NDArray[Any]) -> float | None:
    """Return the score that a case is expected to reach, given its probabilities alone."""
    if run.outlook is None:
        return None
    first = run.recipe.metric.first
    return float(np.mean([value for _, value in run.outlook.outlook([prob])[first:]]))
