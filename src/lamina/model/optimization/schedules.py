"""Factors of the learning rate as pure functions: of the position in a stage, or of its scores.

A schedule has no state. Where training stands, and what was measured so far, is all it needs,
so that a resumed stage goes on exactly as an uninterrupted one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lamina.spec import ADDED_LATER, Spec

Unit = Literal["epoch", "step"]


class Schedule(Spec):
    """A factor of every group's learning rate."""

    by_scores: ClassVar[bool] = False
    """Whether the rate changes by what is validated."""

    unit: Unit = "epoch"
    """What the position counts, and how often the rate changes: epochs, or optimiser steps."""

    @abstractmethod
    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return the factor of the rate.

        Args:
            position: Units done before now, from 0.
            total: Units of the whole stage.
            history: Every value of the monitor so far in this stage, oldest first.
            higher_is_better: Which way the monitor should go.
        """


class Constant(Schedule):
    """The rate stays as it is."""

    kind: Literal["constant"] = "constant"

    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return 1."""
        return 1.0


class Plateau(Schedule):  # SIIM-15, FAULT-10
    """The rate falls when the monitor has not become better for a while.

    The rule of ``torch.optim.lr_scheduler.ReduceLROnPlateau`` with a relative threshold,
    replayed over the whole history each time.
    """

    kind: Literal["plateau"] = "plateau"
    by_scores: ClassVar[bool] = True

    unit: Literal["epoch"] = "epoch"
    """The rate can only change after a validation."""

    drop: float = Field(default=0.1, gt=0, lt=1)
    """Factor of each fall."""

    patience: int = Field(default=10, ge=0)
    """Validations in a row without a better value that are forgiven."""

    threshold: float = Field(default=1e-4, ge=0)
    """A value is better if it is so by this share of the best one."""

    threshold_of: Annotated[Literal["score", "loss"], ADDED_LATER] = "score"  # FAULT-10
    """Whose share ``threshold`` is: the best score's, or that of the best loss, which is 1 less a
    score of at most 1."""

    floor: float = Field(default=0.0, ge=0, lt=1)  # SIIM-15
    """Minimum factor: the least rate over the first, such as 1e-3 for 1e-7 of 1e-4."""

    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return drop^n, n falls so far, but at least the floor."""
        sign = 1.0 if higher_is_better else -1.0
        best, bad, falls = -math.inf, 0, 0
        for value in history:
            margin = self._margin(best, higher_is_better) if math.isfinite(best) else 0.0
            if sign * value > best + margin:
                best, bad = sign * value, 0
            else:
                bad += 1
            if bad > self.patience:
                falls, bad = falls + 1, 0
        return max(self.drop**falls, self.floor)

    def _margin(self, best: float, higher_is_better: bool) -> float:
        of_loss = self.threshold_of == "loss" and higher_is_better
        return self.threshold * abs(1 - best if of_loss else best)


class Cosine(Schedule):
    """The rate falls along half a cosine: floor + (1 - floor) (1 + cos(pi u)) / 2."""

    kind: Literal["cosine"] = "cosine"

    period: float | None = Field(default=None, gt=0)
    """Units from top to bottom; null: the whole stage."""

    floor: float = Field(default=0.0, ge=0, lt=1)  # SIIM-15
    """Factor at the bottom: the least rate over the first, such as 0.01 for 1e-7 of 1e-5."""

    after: Literal["hold", "swing"] = "hold"  # SIIM-16
    """Beyond the period stay at the bottom, or swing up and down again."""

    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return the factor; u is the position as a share of the period."""
        return _fall(position / (self.period or max(total, 1)), self.floor, self.after)


class CosineRestarts(Schedule):  # SIIM-15 names it
    """The rate falls along half a cosine again and again, each time from the top.

    Loshchilov and Hutter 2017, as ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.
    """

    kind: Literal["cosine_restarts"] = "cosine_restarts"

    period: float = Field(gt=0)
    """Units of the first fall."""

    growth: float = Field(default=1.0, ge=1)
    """How many times as long as the one before each fall is."""

    floor: float = Field(default=0.0, ge=0, lt=1)
    """Factor at the bottom."""

    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return the factor; it is 1 where a fall begins."""
        length = self.period
        if self.growth == 1:
            position %= length
        while position >= length:
            position, length = position - length, length * self.growth
        return _fall(position / length, self.floor, "hold")


class WarmupCosine(Schedule):  # INK-20, NOISE-12
    """The rate rises along a line, then falls along half a cosine."""

    kind: Literal["warmup_cosine"] = "warmup_cosine"

    unit: Unit = "step"
    """What the position counts, and how often the rate changes: epochs, or optimiser steps."""

    warmup: float | None = Field(default=None, ge=0)
    """Units of the rise; null: ``warmup_share`` of the stage."""

    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the stage that the rise takes, in whole units."""

    start: float = Field(default=0.1, ge=0, le=1)
    """Factor at the first unit."""

    floor: float = Field(default=0.0, ge=0, lt=1)
    """Factor at the bottom."""

    stretch: float = Field(default=1.0, gt=0)  # NOISE-12: 1.5, so it is not reached
    """The bottom lies at this many lengths of the stage."""

    after: Literal["hold", "swing"] = "hold"  # INK-20
    """Beyond the bottom stay there, or swing up and down again."""

    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return the factor; the rise ends at exactly 1."""
        rise = _length(self.warmup, self.warmup_share, total)
        if position < rise:
            return self.start + (1 - self.start) * position / rise
        fall = max(self.stretch * total - rise, 1e-9)
        return _fall((position - rise) / fall, self.floor, self.after)


class FlatThenAnneal(Schedule):  # STEEL-15
    """The rate stays, then falls along half a cosine or a logistic curve."""

    kind: Literal["flat_then_anneal"] = "flat_then_anneal"

    flat: float | None = Field(default=None, ge=0)
    """Units before the fall; null: ``flat_share`` of the stage."""

    flat_share: float = Field(default=0.5, ge=0, lt=1)
    """Share of the stage before the fall, in whole units."""

    form: Literal["cosine", "logistic"] = "cosine"
    """Cosine, or 1 / (1 + exp((x - L/2) / (L/10))) with x units into a fall of L units."""

    floor: float = Field(default=0.0, ge=0, lt=1)
    """Factor at the bottom."""

    stretch: float = Field(default=1.0, gt=0)  # STEEL-15 counts one epoch more
    """The fall ends at this many lengths of the stage."""

    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return the factor; 1 throughout where the flat part is as long as the stage."""
        flat = _length(self.flat, self.flat_share, total)
        fall = self.stretch * total - flat
        if position < flat or fall <= 0:
            return 1.0
        into = (position - flat) / fall
        if self.form == "cosine":
            return _fall(into, self.floor, "hold")
        return self.floor + (1 - self.floor) / (1 + math.exp(min((into - 0.5) / 0.1, 700.0)))


class Poly(Schedule):
    """The rate falls to 0 as a power of what is left: (1 - u)^power, u the share of the stage."""

    kind: Literal["poly"] = "poly"

    power: float = Field(default=0.9, gt=0)
    """1: a line; below 1 it falls most at the end. nnU-Net's is 0.9, by epochs."""

    def factor(
        self,
        position: float,
        total: float,
        history: Sequence[float] = (),
        higher_is_better: bool = True,
    ) -> float:
        """Return the factor; 0 from the end of the stage on."""
        return float(max(1 - position / max(total, 1), 0.0) ** self.power)


def _length(units: float | None, share: float, total: float) -> float:
    return float(int(share * total)) if units is None else units


def _fall(u: float, floor: float, after: Literal["hold", "swing"]) -> float:
    if after == "hold":
        u = min(u, 1.0)
    return floor + (1 - floor) * (1 + math.cos(math.pi * u)) / 2


AnySchedule = Annotated[
    Constant | Plateau | Cosine | CosineRestarts | WarmupCosine | FlatThenAnneal | Poly,
    Field(discriminator="kind"),
]

__all__ = [
    "AnySchedule",
    "Constant",
    "Cosine",
    "CosineRestarts",
    "FlatThenAnneal",
    "Plateau",
    "Poly",
    "Schedule",
    "WarmupCosine",
]
