"""An image of which the rows of one line of tiles are in memory, so that strips are read once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume import Volume, check_within

BUDGET = 256 * 2**20
"""Bytes that are held; an image whose rows need more is held as some of its columns."""


class Ahead:
    """A two-axis volume for tiles that are read line by line, each line from left to right.

    What a region needs is read over the whole width, or as much of it as the budget holds. Rows
    that the next line shares with this one are kept.
    """

    def __init__(self, source: Volume) -> None:
        """Hold nothing yet."""
        self._source = source
        self._box = Region((0, 0), (0, 0))
        self._pixels: NDArray[Any] = np.empty((source.channels, 0, 0), source.dtype)

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    @property
    def axes(self) -> str:
        """Axes of the source."""
        return self._source.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the source."""
        return self._source.shape

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return self._source.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the source."""
        return self._source.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``: a view of what is held, until the next read."""
        check_within(self, region)
        if region.clip_to(self._box) != region:
            self._hold(self._wide(region))
        inside = region.shift(tuple(-a for a in self._box.start))
        return self._pixels[(slice(None), *inside.slices)]

    def _wide(self, region: Region) -> Region:
        width = self.shape[1]
        rows = max(region.shape[0], 1)
        columns = BUDGET // (rows * self.channels * self.dtype.itemsize)
        if columns >= width:
            return Region((region.start[0], 0), (region.stop[0], width))
        stop = min(max(region.start[1] + columns, region.stop[1]), width)
        return Region(region.start, (region.stop[0], stop))

    def _hold(self, box: Region) -> None:
        before = self._box
        shared = before.stop[0] - box.start[0]
        alike = (before.start[1], before.stop[1]) == (box.start[1], box.stop[1])
        if not alike or not 0 < shared < box.shape[0] or before.start[0] > box.start[0]:
            shared = 0
        if self._pixels.shape[1:] != box.shape:
            kept = self._pixels[:, self._pixels.shape[1] - shared :].copy()
            self._pixels = np.empty((self.channels, *box.shape), self.dtype)
            if shared:
                self._pixels[:, :shared] = kept
        elif shared:
            self._pixels[:, :shared] = self._pixels[:, -shared:]
        first = box.start[0] + shared
        self._box = Region((0, 0), (0, 0))  # should the read fail
        rest = Region((first, box.start[1]), box.stop)
        self._pixels[:, shared:] = self._source.read(rest)
        self._box = box
