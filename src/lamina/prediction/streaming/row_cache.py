"""An image of which the rows of one line of tiles are in memory, so that strips are read once.

Of a volume the planes of one layer of tiles are, so that chunks are decoded once.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume import Volume, VolumeView, check_within

BUDGET = 256 * 2**20
"""Bytes that are held; an image whose rows need more is held as some of its columns."""

PIECE = 64
"""Rows that are read together: what a source makes of its files for them comes on top."""


class RowCache(VolumeView):
    """An image or a volume for tiles that are read in the order of their lattice.

    What a region needs is read over the whole width, or as much of it as the budget holds. Rows
    that the next line shares with this one are kept.
    """

    def __init__(self, source: Volume, across: Region | None = None) -> None:
        """Hold nothing yet.

        Args:
            source: The image or the volume.
            across: What is needed of its axes after the first; None: all.
        """
        super().__init__(source)
        self._across = Region.whole(source.shape[1:]) if across is None else across
        self._box = self._nothing()
        self._memory: NDArray[Any] = np.empty(0, source.dtype)
        self._pixels: NDArray[Any] = self._memory

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``: a view of what is held, until the next read."""
        check_within(self, region)
        if region.clip_to(self._box) != region:
            self._hold(self._wide(region))
        inside = region.shift(tuple(-a for a in self._box.start))
        return self._pixels[(slice(None), *inside.slices)]

    def _wide(self, region: Region) -> Region:
        """Return the region over all of the last axes, or over as many of them as are held."""
        start, stop = list(region.start), list(region.stop)
        for axis in range(len(start) - 1, 0, -1):
            sides = [b - a for a, b in zip(start, stop, strict=True)]
            sides[axis] = 1
            fit = BUDGET // max(prod(sides) * self.channels * self.dtype.itemsize, 1)
            first = min(self._across.start[axis - 1], start[axis])
            last = max(self._across.stop[axis - 1], stop[axis])
            if fit < last - first:
                more = max(start[axis] + fit, stop[axis])
                stop[axis] = min(more, last)
                break
            start[axis], stop[axis] = first, last
        return Region(tuple(start), tuple(stop))

    def _nothing(self) -> Region:
        none = (0,) * len(self.shape)
        return Region(none, none)

    def _hold(self, box: Region) -> None:
        before, self._box = self._box, self._nothing()  # should a read fail
        shared = before.stop[0] - box.start[0]
        alike = before.shape == box.shape and before.start[1:] == box.start[1:]
        if not alike or before.start[0] > box.start[0] or shared < 0:
            shared = 0
        if shared:
            self._pixels[:, :shared] = self._pixels[:, -shared:]
        else:
            self._pixels = self._room((self.channels, *box.shape))
        (top, *left), (bottom, *right) = box.start, box.stop
        for first in range(top + shared, bottom, PIECE):
            rest = Region((first, *left), (min(first + PIECE, bottom), *right))
            self._pixels[:, first - top : rest.stop[0] - top] = self.source.read(rest)
        self._box = box

    def _room(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return memory of this shape, which is taken once."""
        if prod(shape) > self._memory.size:
            self._memory = self._pixels = np.empty(0, self.dtype)  # before more is taken
            self._memory = np.empty(prod(shape), self.dtype)
        return self._memory[: prod(shape)].reshape(shape)
