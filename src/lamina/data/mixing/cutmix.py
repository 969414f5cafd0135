"""A box of another sample."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from lamina.data.mixing.base import Mix, Samples

Box = tuple[slice, ...]


class Cutmix(Mix):
    """A box shows another sample, with its target and what counts of it (Yun et al. 2019).

    Its area, or volume, is a share 1 - a of the sample, a from a beta distribution, its centre
    anywhere; what leaves the sample is cut off.
    """

    kind: Literal["cutmix"] = "cutmix"

    alpha: float = Field(default=1.0, gt=0)
    """Both parameters of the beta distribution; 1: every share is as likely."""

    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> Box:
        """Return the sides of the box."""
        side = (1 - rng.beta(self.alpha, self.alpha)) ** (1 / len(size))
        return tuple(_span(length, int(side * length), rng) for length in size)

    def join(self, own: Samples, other: Samples, what: Box, *, exclusive: bool) -> None:
        """Put the box of ``other`` into ``own``."""
        del exclusive
        for mine, theirs in zip(own, other, strict=True):
            mine[:, *what] = theirs[:, *what]


def _span(length: int, side: int, rng: np.random.Generator) -> slice:
    start = int(rng.integers(length)) - side // 2
    return slice(max(start, 0), min(start + side, length))
