"""Masks held in memory, a bit for each pixel.

A mask in a PNG file would be decoded as a whole for every pixel that is asked for. It is read once,
some rows at a time; the mask and labels of a fragment of 8000 by 8000 pixels take 8 MB each as
bits, and a crop of them microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.images.png_rows import in_rows
from lamina.data.targets.label_values import plain
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Volume, check_within

_BAND = 1 << 22  # pixels that are looked at together


@dataclass(frozen=True, eq=False)
class Bits:
    """A mask of two axes and one channel of 0 and 1, uint8 when it is read."""

    name: str
    axes: str
    shape: tuple[int, ...]
    packed: NDArray[np.uint8]
    """(rows, columns / 8 rounded up), as ``numpy.packbits`` packs rows."""

    @property
    def channels(self) -> int:
        """Always 1."""
        return 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        return np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Return ``(1, *region.shape)`` of 0 and 1."""
        check_within(self, region)
        rows, columns = region.slices
        first, stop = columns.start // 8, -(-columns.stop // 8)
        bits = np.unpackbits(self.packed[rows, first:stop], axis=1)
        shift = columns.start - 8 * first
        inside: NDArray[np.uint8] = bits[None, :, shift : shift + columns.stop - columns.start]
        return inside

    def area(self, box: Region | None = None) -> int:
        """Return the number of ones inside ``box``; None: of all."""
        box = box or Region.whole(self.shape)
        if self.packed.size == 0:
            return 0
        step = max(_BAND // self.shape[1], 1)
        (top, left), (bottom, right) = box.start, box.stop
        return sum(
            int(np.count_nonzero(self.read(Region((row, left), (min(row + step, bottom), right)))))
            for row in range(top, bottom, step)
        )


def bits_of(volume: Volume) -> Bits:
    """Return where an image is not 0 (INK-1), read in bands of rows.

    Raises:
        DataError: it has other axes than rows and columns, or colours that differ.
    """
    if len(volume.axes) != 2:
        raise DataError(f"{volume.name}: has axes '{volume.axes}'; a mask is an image")
    volume = in_rows(volume)
    rows, columns = volume.shape
    packed = np.zeros((rows, -(-columns // 8)), np.uint8)
    step = max(_BAND // columns, 1)
    for row in range(0, rows, step):
        region = Region((row, 0), (min(row + step, rows), columns))
        stored = plain(volume, volume.read(region))
        packed[row : region.stop[0]] = np.packbits(stored[0] != 0, axis=1)
    return Bits(volume.name, volume.axes, (rows, columns), packed)
