"""Scores of held-out cases: the prediction engine on whole cases, never on crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.targets.ground_truth import nothing, truth
from lamina.evaluation.verdict import verdict
from lamina.prediction.engine import Member, predict_case
from lamina.recipe.recipe import Recipe
from lamina.task import Task


def plain_masks(prob: NDArray[np.float32], task: Task) -> NDArray[Any]:
    """Return (K, *S) masks at 0.5, the most probable class, or the values of restore."""
    if task.kind == "restore":
        return prob
    if task.exclusive:
        best = prob.argmax(0)
        return np.asarray(best == np.arange(len(prob)).reshape(-1, *([1] * best.ndim)))
    return prob > 0.5


@dataclass(frozen=True)
class Judged:
    """The monitored score, and that of each decision of ``judge`` in order (SIIM-21)."""

    value: float
    each: tuple[float, ...]


class Trial:
    """Answers of held-out cases judged one by one; none is kept.

    With several decisions the best score counts, chosen over all cases together (SIIM-25).
    """

    def __init__(self, recipe: Recipe, task: Task, *, baseline: bool = False) -> None:
        """``baseline``: judge the all-empty prediction as well, for ``verdict``."""
        self._recipe, self._task = recipe, task
        self._tallies: list[list[NDArray[np.float64]]] = [[] for _ in recipe.judge or (None,)]
        self._empty: list[NDArray[np.float64]] | None = None
        if baseline and task.kind != "restore":
            self._empty = []

    def add(self, case: Case, prob: NDArray[Any]) -> None:
        """Judge one answer, (K, *S) probabilities or values.

        Raises:
            DataError: the case has no target.
        """
        target, valid = truth(case, self._task)
        decided = (decide(prob) for decide in self._recipe.judge)
        masks = decided if self._recipe.judge else (plain_masks(prob, self._task),)
        for tallies, mask in zip(self._tallies, masks, strict=True):
            answer = prob if self._recipe.monitor.soft else mask
            tallies.append(self._recipe.monitor.tally(answer, target, valid))
        if self._empty is not None:
            empty = nothing(target, self._task)
            self._empty.append(self._recipe.monitor.tally(empty, target, valid))

    def result(self) -> Judged:
        """Return the scores over all cases."""
        monitor = self._recipe.monitor
        each = [monitor.score(tallies).value for tallies in self._tallies]
        best = max(each) if monitor.higher_is_better else min(each)
        return Judged(best, tuple(each) if self._recipe.judge else ())

    def verdict(self) -> str:
        """Return whether the best score beats the all-empty prediction; '' where none is judged."""
        if not self._empty:
            return ""
        monitor = self._recipe.monitor
        scores = [monitor.score(tallies).value for tallies in self._tallies]
        best = scores.index(max(scores) if monitor.higher_is_better else min(scores))
        return str(verdict(monitor, self._tallies[best], self._empty))


def validate(
    recipe: Recipe,
    task: Task,
    cases: Sequence[Case],
    member: Member,
    *,
    device: torch.device,
    precision: torch.dtype | None,
) -> Judged:
    """Return the monitored metric over ``cases``, predicted as they are, without other views.

    Of volumes only the slices of ``frame.slices.judge`` are predicted, where it names any. Extra
    views cost a multiple and rank epochs no better; the out-of-fold predictions that decide and
    score use all of them.
    """
    plain = recipe.model_copy(
        update={"predict": recipe.predict.model_copy(update={"views": "as_is"})}
    )
    trial = Trial(recipe, task)
    slices = recipe.frame.slices
    for case in recipe.frame.chosen(cases, slices.judge if slices else ()):
        answer = predict_case(case, [member], plain, device=device, precision=precision)
        trial.add(case, answer)
    return trial.result()
