"""Each pixel belongs to its most probable class."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.result.decisions.base import Decision


class Argmax(Decision):  # FAULT-14
    """The most probable class of each pixel; at a tie the lowest, so background wins."""

    kind: Literal["argmax"] = "argmax"
    without_numbers: ClassVar[str | None] = "takes the most probable class of each pixel"

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (K, *S) masks of which exactly one is True at every pixel."""
        best = prob.argmax(axis=0)
        classes = np.arange(len(prob)).reshape(-1, *[1] * best.ndim)
        return np.asarray(best == classes)

    @property
    def pixelwise(self) -> bool:
        """Each pixel is decided by itself."""
        return True
