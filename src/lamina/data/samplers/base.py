"""What every sampler promises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.spec import Spec

if TYPE_CHECKING:
    from lamina.data.samplers.mixed import Mixed


class Sampler(Spec):
    """What to look at in an epoch; without memory, so that training can resume anywhere."""

    of_blocks: ClassVar[bool] = True
    """Whether it lays blocks into volumes of three axes, too."""

    @property
    def reads_targets(self) -> bool:
        """Whether what it draws depends on where targets lie."""
        return False

    def by_source(self) -> Mixed | None:
        """Return what mixes cases by their source in place of this sampler; None: nothing can."""
        return None

    @abstractmethod
    def draws(
        self,
        cases: Sequence[Case],
        *,
        size: tuple[int, ...],
        batch: int,
        epoch: int,
        rng: np.random.Generator,
    ) -> list[Draw]:
        """Return the regions of one epoch, in order.

        Args:
            cases: Of as many axes as `size`; at least one.
            size: Sides of a region, one for each axis of the cases.
            batch: Samples per batch, for those that compose batches.
            epoch: Counted from 0 within the stage.
            rng: Made for this (seed, stage, epoch).

        Returns:
            Regions of exactly ``size``; they leave an image that is smaller than ``size``.
        """

    def groups(self, count: int, batch: int) -> list[list[int]]:
        """Cut ``count`` draws into batches, each a list of their numbers, none above ``batch``.

        Nearly equal rather than full and a rest: a rest of one sample has no batch statistics.
        """
        pieces = np.array_split(np.arange(count), max(-(-count // batch), 1))
        return [piece.tolist() for piece in pieces if len(piece)]
