"""From seconds per step to epochs: what is settled once a step has been measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lamina.plan.probe import Probed
from lamina.plan.rules import Setting, Situation
from lamina.public import VerbResult
from lamina.recipe.stage import MOST_EPOCHS

_ENOUGH = 1500  # steps of a fold, from which on all folds are trained
_EPOCHS = 40  # where the sampler may draw any number of crops
_VALIDATIONS = (6, 4, 2, 1)
_FOR_STEPS = 0.8
_START = 8.0  # seconds until a process has imported everything


@dataclass(frozen=True)
class Schedule(VerbResult):
    """How often what is done, and how long it takes."""

    steps: int
    """Optimiser steps of each fold."""

    epochs: int
    folds: int
    """Folds that the minutes are for."""

    count: int | None
    """Crops of an epoch; None: as the sampler says."""

    validate_every: int
    seconds: float
    """Time that training takes."""


def schedule_of(now: Situation, probed: Probed, folds: int) -> Schedule:
    """Return as many steps as the minutes allow.

    Args:
        now: With batch and sampler settled.
        probed: What a step takes.
        folds: Those of the split.
    """
    total = now.wanted.minutes * 60
    every = _fitted(now, probed, total, folds)
    return every if every.steps >= _ENOUGH or folds == 1 else _fitted(now, probed, total, 1)


def _fitted(now: Situation, probed: Probed, total: float, folds: int) -> Schedule:
    views = 1  # validation uses the views of prediction, as the held-out answers do
    left = max(total - probed.setup - _START, 0.2 * total) / folds
    fixed = 0.0
    times = 1
    for times in _VALIDATIONS:
        fixed = probed.validation * (times + views)
        if fixed <= (1 - _FOR_STEPS) * left:
            break
    steps = max(_rounded((left - min(fixed, 0.5 * left)) / probed.step), 10)
    epochs, count = _epochs(now, probed, steps)
    done = epochs * _per_epoch(now, probed, count)
    every = max(1, epochs // times)
    seconds = folds * (done * probed.step + fixed) + probed.setup + _START
    return Schedule(done, epochs, folds, count, every, round(seconds, 1))


def _rounded(steps: float) -> int:
    """Return two significant digits, rounded down, so that noise of the clock changes little."""
    if steps < 10:
        return int(steps)
    unit = 10 ** (int(math.log10(steps)) - 1)
    return int(steps // unit * unit)


def _epochs(now: Situation, probed: Probed, steps: int) -> tuple[int, int | None]:
    """Return epochs, and the crops of each where the sampler takes any number."""
    batch = int(now.settled["train.batch"])
    sampler = now.settled["train.sampler"]
    if sampler["kind"] == "balanced":
        return min(MOST_EPOCHS, max(1, round(steps / _per_epoch(now, probed, None)))), None
    epochs = min(_EPOCHS, max(1, steps // 8))
    return epochs, batch * max(1, round(steps / epochs))


def _per_epoch(now: Situation, probed: Probed, count: int | None) -> int:
    """Return the steps of an epoch."""
    batch = int(now.settled["train.batch"])
    if count is not None:
        return math.ceil(count / batch)
    rate = float(now.settled["train.sampler"]["positive_rate"])
    positive = probed.positive_cases
    return max(1, math.ceil((positive + int(positive * (1 - rate) / rate)) / batch))


def settings(now: Situation, probed: Probed, plan: Schedule) -> list[Setting]:
    """Return the values that follow from the measurement."""
    minutes = now.wanted.minutes
    which = "each of all folds" if plan.folds > 1 else "one fold"
    why = (
        f"{probed.step:.2f} s a step, {minutes:g} min: {plan.steps} steps for {which}, "
        f"{probed.validation:.1f} s a validation"
    )
    sampler: Mapping[str, Any] = now.settled["train.sampler"]
    found = [Setting("train.epochs", plan.epochs, why)]
    if plan.count is not None:
        found.append(Setting("train.sampler", {**sampler, "count": plan.count}, ""))
    found.append(Setting("train.validate_every", plan.validate_every, "validations cost time, too"))
    return found
