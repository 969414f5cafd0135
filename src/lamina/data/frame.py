"""How a region of an image becomes what the network sees."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lamina.data.normalise import AnyNormalise, DatasetStats
from lamina.spec import Spec


class Slices(Spec):
    """Look at a volume of three axes slice by slice."""

    axes: str = "z"
    """Axes that are cut across; with several, every slice along each of them is an image."""

    context: int = Field(default=0, ge=0)
    """Neighbours on either side that become further channels."""


class Frame(Spec):
    """How a region becomes what the network sees."""

    size: tuple[int, int] = (256, 256)
    """Rows and columns of a training sample, in pixels."""

    channels: int = Field(default=1, ge=1)
    """Channels of an image (of each slice). 1 also reads colour files that are really grey."""

    slices: Slices | None = None
    """How volumes of three axes are cut; null: images only."""

    border: Literal["reflect", "zero"] = "reflect"
    """What lies beyond the image: its mirror (without repeating the edge), or the value 0."""

    normalise: AnyNormalise = DatasetStats()
    """How stored values are shifted and scaled."""

    @property
    def inputs(self) -> int:
        """Channels the network sees: those of the slice and of its neighbours."""
        return self.channels * (2 * self.slices.context + 1 if self.slices else 1)
