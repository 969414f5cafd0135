"""Who can disagree about a case: its members, or the views of its only member."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lamina.geometry.view import members as views_of
from lamina.prediction.tiling.averaging import calibrate, combine, is_calibrated
from lamina.prediction.tiling.tiled_inference import Member
from lamina.recipe.recipe import Pool, Recipe
from lamina.result.calibration import Calibration

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Voices:
    """Members that each answer by themselves, and how their answers become one.

    Answers are averaged as the engine averages them: members after calibration, views before it.
    """

    members: tuple[Member, ...]
    weights: tuple[float, ...]
    recipe: Recipe
    pool: Pool
    curves: tuple[Calibration, ...] = ()
    """What the mean of views goes through; none: members went through their own."""

    def mean(self, answers: Sequence[NDArray[Any]]) -> Floats:
        """Return the mean (K, *S) of the answers of all voices."""
        mean = combine(answers, self.weights, self.recipe.task.kind, self.pool)
        return self._calibrated(mean)

    def calibrated(self, answers: Sequence[NDArray[Any]]) -> list[Floats]:
        """Return the answers as they are compared with one another, (K, *S) each."""
        return [self._calibrated(np.asarray(answer, np.float32)) for answer in answers]

    def _calibrated(self, prob: Floats) -> Floats:
        if not is_calibrated(self.curves):
            return prob
        kind = self.recipe.task.kind
        moved = calibrate(kind, torch.from_numpy(prob), self.curves, logits=False)
        return np.asarray(moved.numpy(), np.float32)


def voices(members: Sequence[Member], recipe: Recipe) -> Voices:
    """Return the members where there are several, else the views of the only one."""
    mean = recipe.predict.mean_of
    if len(members) > 1:
        weights = tuple(member.weight for member in members)
        return Voices(tuple(members), weights, recipe, mean.members)
    (member,) = members
    views = views_of(recipe.predict.views, recipe.frame.axes)
    if len(views) == 1:
        return Voices((member,), (1.0,), recipe, "probability")
    plain = replace(member, calibration=())
    return Voices(
        tuple(replace(plain, view=number) for number in range(len(views))),
        tuple(share for _, share in views),
        recipe,
        "logit" if mean.views == "logit" else "probability",
        member.calibration,
    )
