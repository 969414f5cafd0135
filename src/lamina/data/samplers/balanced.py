"""Epochs with a chosen share of cases that show a target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.data.samplers.base import Sampler
from lamina.data.samplers.crop_placement import crop, is_positive
from lamina.errors import DataError


class Balanced(Sampler):  # SIIM-11
    """Every positive case once, and as many negative ones as the rate asks for.

    With n positive cases and rate p, trunc(n (1 - p) / p) negative cases are drawn with
    replacement, new in each epoch; the union is shuffled. A case is positive where any pixel of
    its target is set.
    """

    kind: Literal["balanced"] = "balanced"

    positive_rate: float = Field(default=0.5, gt=0, le=1)
    """Share of positive cases in an epoch."""

    last_rate: float | None = Field(default=None, gt=0, le=1)  # SIIM-12
    """Their share in the last of ``over`` epochs and in all after it, reached along a line; null:
    ``positive_rate`` throughout."""

    over: int = Field(default=10, ge=2)
    """Epochs of the way to ``last_rate``, the first and the last counted."""

    focus: float = Field(default=0.0, ge=0, le=1)  # STEEL-7
    """Probability that a crop of a positive case is laid around a target pixel."""

    @property
    def reads_targets(self) -> bool:
        """Always: a case is positive by its target."""
        return True

    def draws(
        self,
        cases: Sequence[Case],
        *,
        size: tuple[int, ...],
        batch: int,
        epoch: int,
        rng: np.random.Generator,
    ) -> list[Draw]:
        """Return the crops of one epoch.

        Raises:
            DataError: no case is positive.
        """
        positive = np.array([is_positive(case) for case in cases])
        with_target, without = np.flatnonzero(positive), np.flatnonzero(~positive)
        if not len(with_target):
            raise DataError(
                f"none of the {len(cases)} training cases has a target, and the balanced sampler "
                "needs one; use the sampler random_crop, or check the labels"
            )
        rate = self.rate(epoch)
        wanted = int(len(with_target) * (1 - rate) / rate)
        chosen = rng.choice(without, wanted) if len(without) else without
        order = rng.permutation(np.concatenate([with_target, chosen]))
        return [crop(cases, int(number), size, self.focus, rng) for number in order]

    def rate(self, epoch: int) -> float:
        """Return the share of positive cases in an epoch, counted from 0."""
        if self.last_rate is None:
            return self.positive_rate
        way = min(epoch / (self.over - 1), 1.0)
        return self.positive_rate + (self.last_rate - self.positive_rate) * way
