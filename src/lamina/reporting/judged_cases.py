"""Every out-of-fold case, scored by the decision of the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.targets.ground_truth import truth
from lamina.evaluation.breakdown import SizeTallies, group_scores
from lamina.evaluation.tallies import MaskTallies, ValueTallies
from lamina.folders import fold_folders, fold_number
from lamina.prediction.folder.manifest import check_place
from lamina.prediction.folder.predictions import HEADER, Predictions
from lamina.progress import Bar
from lamina.reporting.run_contents import Run

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

    def answer(self) -> NDArray[Any]:
        """Return the decided masks, or the values of restore."""
        prob = self.predictions.prob(self.case.id)
        return prob if self.predictions.task.kind == "restore" else self.predictions.decision(prob)


@dataclass(frozen=True)
class ScoredCases:
    """All held-out cases, and what ``lamina score`` would say of them together.

    The summary has ``by_size`` and ``by_group`` too, the latter empty where each case or all
    cases are one group.
    """

    cases: Sequence[ScoredCase]
    summary: Mapping[str, Any] | None


def judge(run: Run, cases: Mapping[str, Case]) -> ScoredCases:
    """Judge what the folds predicted of ``cases``; pixels of one case are in memory at a time."""
    recipe = run.recipe
    task = recipe.task
    values = task.kind == "restore"
    tallies = ValueTallies(recipe.metric, task) if values else MaskTallies(recipe.metric, task)
    sizes = SizeTallies(task)
    judged: list[ScoredCase] = []
    with Bar("scoring held-out cases", len(cases)) as bar:
        for folder in fold_folders(run.folder):
            if not (folder / _OUT_OF_FOLD / HEADER).is_file():
                continue
            predictions = Predictions.open(folder / _OUT_OF_FOLD)
            predictions = predictions.with_decision(run.decision).with_calibration(run.calibration)
            for id in predictions.ids:
                if id not in cases:
                    continue
                check_place(predictions.case(id), cases[id].image)
                prob = predictions.prob(id)
                answer = prob if values else predictions.decision(prob)
                target, valid = truth(cases[id], task)
                tally = tallies.add(prob, answer, target, valid)
                if not values:
                    sizes.add(answer, target, valid)
                one = recipe.metric.score([tally]).value
                fold, wrong = fold_number(folder.name) or 0, tallies.wrong
                judged.append(
                    ScoredCase(
                        cases[id], fold, one, wrong, tally, predictions, _expected(run, prob)
                    )
                )
                bar.advance()
    folds = [one.fold for one in judged]
    if not judged:
        return ScoredCases(judged, None)
    groups = [one.case.group for one in judged]
    by_group = group_scores(recipe.metric, groups, tallies.of_cases, tallies.of_baseline)
    both = {"by_size": sizes.summary(), "by_group": by_group if _together(groups) else ()}
    return ScoredCases(judged, tallies.summary(folds) | both)


def _together(groups: Sequence[str]) -> bool:
    """Whether there are several groups, and one of several cases."""
    return 1 < len(set(groups)) < len(groups)


def _expected(run: Run, prob: NDArray[Any]) -> float | None:
    """Return the score that a case is expected to reach, given its probabilities alone."""
    if run.outlook is None:
        return None
    first = run.recipe.metric.first
    return float(np.mean([value for _, value in run.outlook.outlook([prob])[first:]]))


def worst(judgement: ScoredCases, count: int, *, higher_is_better: bool) -> list[ScoredCase]:
    """Return the cases with the worst score; among equals those with most wrong pixels."""
    sign = 1 if higher_is_better else -1
    return sorted(
        judgement.cases, key=lambda judged: (sign * judged.value, -judged.wrong, judged.case.id)
    )[:count]


def drawn(judgement: ScoredCases, count: int, rng: np.random.Generator) -> list[ScoredCase]:
    """Return ``count`` cases drawn without looking at their scores, in the order of the run."""
    size = min(count, len(judgement.cases))
    return [judgement.cases[i] for i in sorted(rng.permutation(len(judgement.cases))[:size])]
