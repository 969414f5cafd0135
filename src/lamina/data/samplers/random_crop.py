"""Random crops of all cases."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.data.samplers.base import Sampler
from lamina.data.samplers.crop_placement import cases_by_class, crop, even
from lamina.data.samplers.mixed import Mixed
from lamina.spec import ADDED_LATER


class RandomCrop(Sampler):
    """Every case equally often, in a new order each epoch, each time at a random place."""

    kind: Literal["random_crop"] = "random_crop"

    per_image: float = Field(default=1.0, gt=0)
    """Draws per case and epoch; of a broken number, chance decides which cases get one more."""

    by_area: bool = False  # INK-12
    """Count a case ceil(its area / the crop's area) times instead of once."""

    count: int | None = Field(default=None, ge=1)
    """Draws per epoch whatever the number of cases; null: as ``per_image`` says."""

    focus: float = Field(default=0.0, ge=0, le=1)  # STEEL-7
    """Probability that a crop is laid around a target pixel, where the case has any."""

    classes: Annotated[Literal["of_case", "even"], ADDED_LATER] = "of_case"
    """What a crop around a target pixel shows. of_case: a class of the case whose turn it is; even:
    first any class, each equally likely, then a case that has it, so that a class of few cases is
    met as often as the others."""

    @model_validator(mode="after")
    def _classes_are_focused_on(self) -> RandomCrop:
        if self.classes == "even" and not self.focus:
            raise ValueError(
                "classes is even, which is of crops around target pixels, and focus is 0; set "
                "focus, such as 0.33"
            )
        return self

    @property
    def reads_targets(self) -> bool:
        """Whether crops are laid around target pixels."""
        return self.focus > 0

    def by_source(self) -> Mixed:
        """Return the mixer with the same focus."""
        return Mixed(focus=self.focus)

    def draws(
        self,
        cases: Sequence[Case],
        *,
        size: tuple[int, ...],
        batch: int,
        epoch: int,
        rng: np.random.Generator,
    ) -> list[Draw]:
        """Return the crops of one epoch."""
        shares = [self._share(case, size) for case in cases]
        once = np.repeat(np.arange(len(cases)), shares)
        total = self.count or max(round(self.per_image * len(once)), 1)
        rounds = [rng.permutation(once) for _ in range(-(-total // len(once)))]
        numbers = np.concatenate(rounds)[:total]
        if self.classes == "even":
            showing = cases_by_class(cases)
            return [even(cases, int(at), size, self.focus, showing, rng) for at in numbers]
        return [crop(cases, int(number), size, self.focus, rng) for number in numbers]

    def _share(self, case: Case, size: tuple[int, ...]) -> int:
        if not self.by_area:
            return 1
        return math.ceil(math.prod(case.image.shape) / math.prod(size))
