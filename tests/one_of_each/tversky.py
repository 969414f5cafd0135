"""A loss as a contributor would write it: the Tversky index with weights of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels

if TYPE_CHECKING:
    from torch import Tensor


class Tversky(Loss):
    """1 - tp / (tp + a fp + b fn) over all pixels of a batch, the mean over outputs."""

    kind: Literal["tversky"] = "tversky"

    missed: float = Field(default=0.7, ge=0, le=1)
    """Weight b of pixels that are missed; a is 1 - b."""

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        found = pixels.probabilities(exclusive=exclusive)
        truth = pixels.target * pixels.valid
        hits = (found * truth).sum((0, 2, 3))
        wrong, lost = found.sum((0, 2, 3)) - hits, truth.sum((0, 2, 3)) - hits
        below = hits + (1 - self.missed) * wrong + self.missed * lost
        return (1 - hits / below.clamp(min=1e-7)).mean()
