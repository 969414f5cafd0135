"""Scores of held-out cases: the prediction engine on whole cases, never on crops."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lamina.data.case import Case
from lamina.data.targets.ground_truth import nothing, truth
from lamina.errors import RecipeError
from lamina.evaluation.verdict import verdict
from lamina.model.losses import AnyLoss, total
from lamina.prediction.engine import Member, predict_case
from lamina.recipe.recipe import Recipe
from lamina.task import Task
from lamina.training.devices.ranks import ALONE, Ranks
from lamina.training.preview.worst_cases import WorstCase, WorstCases, plain_masks

_PART = 1 << 24  # values of an answer whose loss is taken at a time


@dataclass(frozen=True)
class ValidationScores:
    """The monitored score, and that of each decision of ``judge`` in order (SIIM-21)."""

    value: float
    each: tuple[float, ...]
    loss: float | None = None
    """The loss over the cases, see ``held_out_loss``; None: it was not asked for, or is not finite.
    """
    worst: tuple[WorstCase, ...] = ()
    """The cases with the worst scores, worst first."""


@dataclass(frozen=True)
class JudgedCase:
    """What the answer for one case comes to."""

    tallies: tuple[NDArray[np.float64], ...]
    """Of each decision."""
    loss: float | None
    empty: NDArray[np.float64] | None
    """That of the all-empty prediction, where it is asked for."""


class Trial:
    """Answers of held-out cases judged one by one; none is kept.

    With several decisions the best score counts, chosen over all cases together (SIIM-25).
    """

    def __init__(
        self,
        recipe: Recipe,
        task: Task,
        *,
        baseline: bool = False,
        losses: Sequence[AnyLoss] = (),
        device: torch.device | None = None,
    ) -> None:
        """Begin without a case.

        Args:
            recipe: Its monitor and decisions judge.
            task: What answers mean.
            baseline: Judge the all-empty prediction as well, for ``verdict``.
            losses: Take these of every answer too; none: no loss is taken.
            device: Where losses are computed; None: the CPU.
        """
        self._recipe, self._task = recipe, task
        self._losses, self._device = losses, device or torch.device("cpu")
        self._loss: list[float] = []
        self._tallies: list[list[NDArray[np.float64]]] = [[] for _ in recipe.judge or (None,)]
        self._empty: list[NDArray[np.float64]] | None = None
        if baseline and task.kind != "restore":
            self._empty = []

    def add(self, case: Case, prob: NDArray[Any]) -> None:
        """Judge one answer, (K, *S) probabilities or values.

        Raises:
            DataError: the case has no target.
        """
        self.count(self.judge(case, prob))

    def judge(self, case: Case, prob: NDArray[Any]) -> JudgedCase:
        """Return what one answer comes to, without counting it.

        Raises:
            DataError: the case has no target.
        """
        target, valid = truth(case, self._task)
        monitor = self._recipe.monitor
        decided = (decide(prob) for decide in self._recipe.judge)
        masks = decided if self._recipe.judge else (plain_masks(prob, self._task),)
        loss = empty = None
        if self._losses:
            loss = held_out_loss(
                self._recipe, self._losses, self._task, prob, target, valid, device=self._device
            )
        tallies = [monitor.tally(prob if monitor.soft else mask, target, valid) for mask in masks]
        if self._empty is not None:
            empty = monitor.tally(nothing(target, self._task), target, valid)
        return JudgedCase(tuple(tallies), loss, empty)

    def count(self, judged: JudgedCase) -> None:
        """Count what ``judge`` returned, in the order of the cases."""
        for tallies, one in zip(self._tallies, judged.tallies, strict=True):
            tallies.append(one)
        self._loss += [] if judged.loss is None else [judged.loss]
        if self._empty is not None and judged.empty is not None:
            self._empty.append(judged.empty)

    def result(self) -> ValidationScores:
        """Return the scores over all cases."""
        monitor = self._recipe.monitor
        each = [monitor.score(tallies).value for tallies in self._tallies]
        best = max(each) if monitor.higher_is_better else min(each)
        loss = float(np.mean(self._loss)) if self._loss else math.nan
        return ValidationScores(
            best, tuple(each) if self._recipe.judge else (), loss if math.isfinite(loss) else None
        )

    def verdict(self) -> str:
        """Return whether the best score beats the all-empty prediction; '' where none is judged."""
        if not self._empty:
            return ""
        monitor = self._recipe.monitor
        scores = [monitor.score(tallies).value for tallies in self._tallies]
        best = scores.index(max(scores) if monitor.higher_is_better else min(scores))
        return str(verdict(monitor, self._tallies[best], self._empty))


@torch.no_grad()
def held_out_loss(
    recipe: Recipe,
    losses: Sequence[AnyLoss],
    task: Task,
    prob: NDArray[Any],
    target: NDArray[Any],
    valid: NDArray[np.bool_] | None,
    *,
    device: torch.device,
) -> float | None:
    """Return the loss of training of the answer to one whole held-out case.

    The answer is the one that is scored: tiles joined, without changes of transforms. Its logits
    are those of its probabilities. Each slice of a volume along its first axis is a batch of its
    own, and large ones are cut into bands of rows of at most 16 million values; the mean counts all
    by their pixels.

    Args:
        recipe: Label smoothing and floor of the loss.
        losses: Its parts, with the class weights of the fold.
        task: What the channels mean.
        prob: (K, *S) probabilities, or values for restore.
        target: (K, *S) as ``truth`` returns it.
        valid: (*S) where pixels count; None: everywhere.
        device: Where it is computed.

    Returns:
        The loss; None: no part is large enough for it, or no pixel counts.
    """
    whole, weight = 0.0, 0.0
    for at in _parts(prob.shape):
        answer = torch.from_numpy(np.ascontiguousarray(prob[(slice(None), *at)], np.float32))
        truths = torch.from_numpy(np.ascontiguousarray(target[(slice(None), *at)], np.float32))
        counts = None if valid is None else torch.from_numpy(np.ascontiguousarray(valid[at]))
        pixels = float(answer[0].numel() if counts is None else counts.sum())
        if not pixels:
            continue
        try:
            loss, _ = total(
                losses,
                logits_of(answer.to(device)[None], task),
                truths.to(device)[None],
                None if counts is None else counts.to(device)[None, None].float(),
                exclusive=task.exclusive,
                smoothing=recipe.label_smoothing,
                floor=recipe.loss_floor,
            )
        except RecipeError:  # a part is smaller than the window of a loss
            continue
        whole, weight = whole + float(loss) * pixels, weight + pixels
    return whole / weight if weight else None


def logits_of(prob: Tensor, task: Task) -> Tensor:
    """Return logits (B, K, H, W) whose probabilities are ``prob``; values of restore as they are.

    Probabilities are at least 1e-7 from 0 and 1.
    """
    if task.kind == "restore":
        return prob
    if task.exclusive:
        return prob.clamp(min=1e-7).log()
    return prob.clamp(1e-7, 1 - 1e-7).logit()


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[slice | int, ...]]:
    """Yield the places of the batches of an answer (K, *S): slices, in equal bands of rows."""
    outputs, *depth, rows, columns = shape
    count = min(rows, math.ceil(outputs * rows * columns / _PART))
    edges = [round(rows * number / count) for number in range(count + 1)] if count else []
    for index in np.ndindex(*depth):
        yield from ((*index, slice(*band)) for band in pairwise(edges))


def validate(
    recipe: Recipe,
    task: Task,
    cases: Sequence[Case],
    member: Member,
    *,
    device: torch.device,
    precision: torch.dtype | None,
    losses: Sequence[AnyLoss] = (),
    ranks: Ranks = ALONE,
) -> ValidationScores | None:
    """Return the monitored metric over ``cases``, predicted as they are, without other views.

    Whole cases are dealt to the ranks; the main one has the scores, the others None.

    With ``losses`` their value is taken too, the mean over the cases.

    Of volumes only the slices of ``frame.slices.judge`` are predicted, where it names any. Extra
    views cost a multiple and rank epochs no better; the out-of-fold predictions that decide and
    score use all of them.
    """
    plain = recipe.model_copy(
        update={"predict": recipe.predict.model_copy(update={"views": "as_is"})}
    )
    trial = Trial(recipe, task, losses=losses, device=device)
    slices = recipe.frame.slices
    chosen = list(recipe.frame.chosen(cases, slices.judge if slices else ()))
    judged: dict[int, JudgedCase] = {}
    worst = WorstCases(recipe.monitor, task, recipe.frame)
    for number in dealt([math.prod(case.image.shape) for case in chosen], ranks):
        case = chosen[number]
        answer = predict_case(case, [member], plain, device=device, precision=precision)
        judged[number] = trial.judge(case, answer)
        worst.offer(case, answer, judged[number].tallies[0])
    if ranks.size > 1:
        judged = {number: one for part in ranks.gather(judged) for number, one in part.items()}
        worst.take(one for part in ranks.gather(worst.found) for one in part)
    if not ranks.is_main:
        return None
    for number in sorted(judged):
        trial.count(judged[number])
    return replace(trial.result(), worst=worst.found)


def dealt(sizes: Sequence[int], ranks: Ranks) -> list[int]:
    """Return the numbers of the cases that this rank has, in order.

    Largest first, each to the rank that has least by then; alone all of them.
    """
    loads = [0] * ranks.size
    own = []
    for number in sorted(range(len(sizes)), key=lambda number: (-sizes[number], number)):
        rank = min(range(ranks.size), key=lambda rank: (loads[rank], rank))
        loads[rank] += sizes[number]
        if rank == ranks.rank:
            own.append(number)
    return sorted(own)
