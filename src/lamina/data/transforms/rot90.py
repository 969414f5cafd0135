"""Quarter turns."""

from __future__ import annotations

from typing import Literal

import numpy as np

from lamina.data.transforms.base import Warp, Where


class Rot90(Warp):
    """Turn by one, two or three quarters, counter-clockwise, each equally likely.

    A region that is not square is only turned by half, since its quarter turn would look far
    beyond it. Blocks are turned in the plane of rows and columns.
    """

    kind: Literal["rot90"] = "rot90"

    @property
    def exchanges(self) -> bool:
        """Always."""
        return True

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> int | None:
        """Return the number of quarter turns."""
        if rng.random() >= self.p:
            return None
        return int(rng.integers(1, 4)) if size[-2] == size[-1] else 2

    def move(self, where: Where, picked: int) -> Where:
        """Turn about the region's centre; equals ``np.rot90(image, picked)``."""
        rows, columns = where.rows, where.columns
        for _ in range(picked):
            rows, columns = columns, -rows
        return where._replace(rows=rows, columns=columns)
