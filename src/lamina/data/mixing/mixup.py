"""Two samples laid over one another."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from lamina.data.mixing.base import Mix, Samples


class Mixup(Mix):
    """a of the sample and 1 - a of another, and of their targets (Zhang et al. 2018).

    A pixel counts where it does in both.
    """

    kind: Literal["mixup"] = "mixup"

    alpha: float = Field(default=0.4, gt=0)
    """Both parameters of the beta distribution of a; small: one of the two shows through."""

    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> np.float32:
        """Return the share of the sample itself."""
        del size
        return np.float32(rng.beta(self.alpha, self.alpha))

    def join(self, own: Samples, other: Samples, what: np.float32, *, exclusive: bool) -> None:
        """Fade ``own`` into ``other``."""
        del exclusive
        for mine, theirs in ((own.image, other.image), (own.target, other.target)):
            mine *= what
            mine += (1 - what) * theirs
        np.minimum(own.valid, other.valid, out=own.valid)
