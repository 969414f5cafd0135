"""A transform as a contributor would write it: bright becomes dark."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamina.data.transforms.base import Table


class Negative(Table):
    """x becomes 1 - x; x is a fraction of the range."""

    kind: Literal["negative"] = "negative"

    def pick(self, size: tuple[int, int], rng: np.random.Generator) -> bool | None:
        """Return True, or None where nothing happens."""
        return True if rng.random() < self.p else None

    def map(self, values: NDArray[np.float32], picked: bool) -> NDArray[np.float32]:
        """Return 1 - x."""
        return np.float32(1) - values
