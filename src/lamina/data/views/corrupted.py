"""A clean volume seen through noise that is the same whatever part of it is read.

The volume is cut into blocks that do not depend on the reader; each block has a generator of its
own, named by seed, case and place. Training does not read this noise: it looks through to the
clean volume and draws fresh noise for every sample, after the warps, which would smooth it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.corruptions import AnyCorruption, Scene
from lamina.data.units import unit_of
from lamina.geometry.region import Region
from lamina.seeding import rng as generator
from lamina.volume import VolumeView, check_within

_SIDES = {2: 128, 3: 32}  # of a block, by the number of axes


@dataclass(frozen=True)
class Corrupted(VolumeView):
    """A clean volume with declared noise on it, float32 in stored units."""

    noise: tuple[AnyCorruption, ...]
    seed: int
    id: str
    """Of the case; another case, another noise."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32: noise is neither clipped nor rounded."""
        return np.dtype(np.float32)

    def read(self, region: Region) -> NDArray[np.float32]:
        """Return ``(channels, *region.shape)`` of the source with its noise."""
        check_within(self, region)
        out = np.empty((self.channels, *region.shape), np.float32)
        levels = [
            corruption.pick(generator(self.seed, "corrupt", self.id, number))
            for number, corruption in enumerate(self.noise)
        ]
        for place, block in self._blocks(region):
            pixels = self.source.read(block).astype(np.float32)
            for number, (corruption, level) in enumerate(zip(self.noise, levels, strict=True)):
                chance = generator(self.seed, "corrupt", self.id, number, *place)
                pixels = corruption.spoil(pixels, level, self._scene(self.axes), chance)
            inside = block.clip_to(region)
            there = inside.shift([-a for a in region.start]).slices
            here = inside.shift([-a for a in block.start]).slices
            out[(slice(None), *there)] = pixels[(slice(None), *here)]
        return out

    def afresh(
        self, pixels: NDArray[Any], axes: str, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        """Return clean pixels (C, H, W) with new noise, as another image of the kind has it.

        Args:
            pixels: Of the source, in stored units, however they were moved.
            axes: Names of their axes.
            rng: Of the sample.
        """
        noisy = np.ascontiguousarray(pixels, np.float32)
        for corruption in self.noise:
            noisy = corruption.spoil(noisy, corruption.pick(rng), self._scene(axes), rng)
        return noisy

    def _scene(self, axes: str) -> Scene:
        return Scene(axes, self.axes[-1], unit_of(self.source.dtype), self.name)

    def _blocks(self, region: Region) -> Iterator[tuple[Sequence[int], Region]]:
        """Yield the blocks that meet ``region``, each with its place in the lattice."""
        whole = {axis for corruption in self.noise for axis in corruption.whole(self.axes[-1])}
        side = _SIDES.get(len(self.axes), 32)
        sides = [
            max(n, 1) if axis in whole else side
            for axis, n in zip(self.axes, self.shape, strict=True)
        ]
        spans = [
            range(a // side, -(-b // side))
            for a, b, side in zip(region.start, region.stop, sides, strict=True)
        ]
        for place in product(*spans):
            start = tuple(at * side for at, side in zip(place, sides, strict=True))
            stop = tuple(a + side for a, side in zip(start, sides, strict=True))
            yield place, Region(start, stop).clip(self.shape)
