"""Scores of held-out cases: the prediction engine on whole cases, never on crops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.truth import truth
from lamina.model.metrics.base import Score
from lamina.predict.engine import Member, predict_case
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


def validate(
    recipe: Recipe,
    task: Task,
    cases: Sequence[Case],
    member: Member,
    *,
    device: torch.device,
    precision: torch.dtype | None,
) -> Score:
    """Return the monitored metric over ``cases``, predicted as they are, without other views.

    Extra views cost a multiple and rank epochs no better; the out-of-fold predictions that
    decide and score use all of them.
    """
    plain = recipe.model_copy(
        update={"predict": recipe.predict.model_copy(update={"views": "as_is"})}
    )
    tallies = []
    for case in cases:
        answer = predict_case(case.image, [member], plain, device=device, precision=precision)
        target, valid = truth(case, task)
        tallies.append(recipe.monitor.tally(plain_masks(answer, task), target, valid))
    return recipe.monitor.score(tallies)
