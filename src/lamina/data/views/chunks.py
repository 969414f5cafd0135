"""A volume in boxes of bounded size, each read once, cut where the file itself is cut."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from lamina.data.views.layers import Layers
from lamina.geometry.region import Region
from lamina.volume import Crop, Packed, Transposed, Volume

PIECE = 2**23
"""Values of a piece unless the caller says otherwise."""


def grain_of(volume: Volume) -> tuple[int, ...]:
    """Return the sides of the boxes that a volume decodes whole; ones where it has none.

    Views that show their source's voxels in place, such as labels, have the grain of the source.
    """
    if isinstance(volume, Packed):
        return volume.grain
    if isinstance(volume, Crop):  # cut between the borders of chunks it meets some twice
        return grain_of(volume.source)
    if isinstance(volume, Layers):
        return grain_of(volume.source)[1:]
    if isinstance(volume, Transposed):
        grain = grain_of(volume.source)
        return tuple(grain[axis] for axis in volume.order)
    source = getattr(volume, "source", None)
    if isinstance(source, Volume) and (source.axes, source.shape) == (volume.axes, volume.shape):
        return grain_of(source)
    return (1,) * len(volume.shape)


def pieces(volume: Volume, most: int | None = None) -> Iterator[Region]:
    """Yield boxes that together cover a volume once, in order.

    Args:
        volume: Opened.
        most: Largest number of values of a piece, all channels together; a single box that the
            file decodes whole is taken as a piece even where it is larger. None: ``PIECE``.
    """
    most = PIECE if most is None else most
    shape = volume.shape
    sides = [min(grain, n) for grain, n in zip(grain_of(volume), shape, strict=True)]
    for axis in reversed(range(len(shape))):
        room = most // (math.prod(sides) * volume.channels)
        sides[axis] = min(sides[axis] * max(room, 1), shape[axis])
    starts = [range(0, n, side) for n, side in zip(shape, sides, strict=True)]
    for start in itertools.product(*starts):
        stop = (min(a + side, n) for a, side, n in zip(start, sides, shape, strict=True))
        yield Region(start, tuple(stop))
