"""One slice of a volume as an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume.view import VolumeView
from lamina.volume.volume import check_within


@dataclass(frozen=True)
class Plane(VolumeView):
    """One slice of a three-axis volume as an image; neighbours become channels.

    With ``context`` c the channels are the slices index-c ... index+c, in that order; beyond
    the ends the first or last slice is repeated.
    """

    axis: str
    index: int
    context: int = 0

    selects = True

    def __post_init__(self) -> None:
        if self.axis not in self.source.axes or len(self.source.axes) != 3:
            raise ValueError(f"{self.source.name}: no axis '{self.axis}' in '{self.source.axes}'")
        if not 0 <= self.index < self.source.shape[self._at]:
            raise ValueError(f"{self.name}: beyond the {self.source.shape[self._at]} slices")

    @cached_property
    def _at(self) -> int:
        return self.source.axes.index(self.axis)

    @property
    def name(self) -> str:
        """Name of the source with axis and index."""
        return f"{self.source.name}[{self.axis}={self.index}]"

    @property
    def axes(self) -> str:
        """The two axes that remain."""
        return self.source.axes.replace(self.axis, "")

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the two axes that remain."""
        shape = self.source.shape
        return shape[: self._at] + shape[self._at + 1 :]

    @property
    def channels(self) -> int:
        """Channels of the source, times the number of slices."""
        return self.source.channels * (2 * self.context + 1)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, rows, columns)``; slices from first to last, channels within."""
        check_within(self, region)
        at, last = self._at, self.source.shape[self._at] - 1
        first = max(self.index - self.context, 0)
        stop = min(self.index + self.context, last) + 1
        box = Region(
            (*region.start[:at], first, *region.start[at:]),
            (*region.stop[:at], stop, *region.stop[at:]),
        )
        slab = np.moveaxis(self.source.read(box), at + 1, 0)  # (slices, channels, rows, columns)
        if self.context:
            wanted = np.arange(self.index - self.context, self.index + self.context + 1)
            slab = slab[wanted.clip(0, last) - first]
        return slab.reshape(self.channels, *region.shape)
