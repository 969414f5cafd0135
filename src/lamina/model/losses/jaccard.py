"""Soft Jaccard loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lamina.model.losses.overlap import Overlap

if TYPE_CHECKING:
    from torch import Tensor


class Jaccard(Overlap):  # SIIM-14
    """1 - (|P.T| + s) / (|P| + |T| - |P.T| + s + b) per unit, then the mean."""

    kind: Literal["jaccard"] = "jaccard"

    smooth: float = Field(default=1e-3, ge=0)
    """Added above and below, in pixels; with it, empty against empty scores a loss of 0."""

    def ratio(self, overlap: Tensor, answer: Tensor, truth: Tensor) -> Tensor:
        union = answer + truth - overlap
        return (overlap + self.smooth) / (union + self.smooth + self.smooth_below)
