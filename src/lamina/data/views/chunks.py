"""A volume in boxes of bounded size, each read once, cut where the file itself is cut."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from lamina.geometry.region import Region
from lamina.volume import Volume, chunk_shape_of

PIECE = 2**23
"""Values of a piece unless the caller says otherwise."""


def pieces(volume: Volume, most: int | None = None) -> Iterator[Region]:
    """Yield boxes that together cover a volume once, in order.

    Args:
        volume: Opened.
        most: Largest number of values of a piece, all channels together; a single box that the
            file decodes whole is taken as a piece even where it is larger. None: ``PIECE``.
    """
    most = PIECE if most is None else most
    shape = volume.shape
    sides = [min(side, n) for side, n in zip(chunk_shape_of(volume), shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = most // (math.prod(sides) * volume.channels)
        sides[axis] = min(sides[axis] * max(room, 1), shape[axis])
    starts = [range(0, n, side) for n, side in zip(shape, sides, strict=True)]
    for start in itertools.product(*starts):
        stop = (min(a + side, n) for a, side, n in zip(start, sides, shape, strict=True))
        yield Region(start, tuple(stop))
