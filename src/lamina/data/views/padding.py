"""What lies beyond an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume import Volume, VolumeView, check_within

Border = Literal["reflect", "zero"]


def read_padded(volume: Volume, region: Region, border: Border) -> NDArray[Any]:
    """Return the pixels of ``region``, (C, *region.shape) in the stored type, padded outside.

    ``reflect`` mirrors without repeating the edge, as often as needed, so that an image of any
    size fills any region; the only pixel of an axis of length 1 is repeated.
    """
    if region.within(volume.shape):
        return volume.read(region)
    if border == "zero":
        inside = region.clip(volume.shape)
        out = np.zeros((volume.channels, *region.shape), volume.dtype)
        if min(inside.shape) > 0:
            at = inside.shift(tuple(-a for a in region.start))
            out[(slice(None), *at.slices)] = volume.read(inside)
        return out
    places = [
        _mirror(np.arange(a, b), n)
        for a, b, n in zip(region.start, region.stop, volume.shape, strict=True)
    ]
    needed = Region(
        tuple(int(axis.min()) for axis in places),
        tuple(int(axis.max()) + 1 for axis in places),
    )
    pixels = volume.read(needed)
    for axis, (place, first) in enumerate(zip(places, needed.start, strict=True)):
        pixels = pixels.take(place - first, axis=axis + 1)
    return pixels


@dataclass(frozen=True)
class Widened(VolumeView):
    """A volume with planes of zeros before its first plane and behind its last."""

    before: int
    behind: int

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the source, with more planes."""
        planes, *plane = self.source.shape
        return (self.before + planes + self.behind, *plane)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``, zeros beyond the source."""
        check_within(self, region)
        moved = region.shift((-self.before, *[0] * (len(region.start) - 1)))
        return read_padded(self.source, moved, "zero")


def _mirror(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Fold places onto 0..length-1 as 2 1 0 1 2 3 2 1 ..."""
    period = max(2 * (length - 1), 1)
    folded = places % period
    return np.minimum(folded, period - folded) if length > 1 else folded
