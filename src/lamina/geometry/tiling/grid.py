"""One lattice of overlapping tiles over a whole volume.

The lattice belongs to the volume, never to the part of it that happens to be worked on. Every
part therefore sees the same tiles in the same order, and blending adds no difference of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from operator import add, getitem

from lamina.geometry.region import Region


@dataclass(frozen=True)
class TileGrid:
    """Tiles of one size at every ``step`` along each axis, the last moved back to the border.

    Iteration gives the tiles as regions in row-major order of the lattice; every pixel of the
    volume lies in at least one. A tile leaves the volume only along an axis that is shorter
    than the tile; there is then one tile along it, with the volume in its middle (of an odd
    number of pixels one more overhangs at the end, FAULT-5), or at its beginning (NOISE-7).

    With ``beyond`` no tile is moved: the lattice goes on by whole steps until the volume is
    covered, and its last tiles overhang at the end (INK-22, where the volume is said to be
    padded to a multiple of the step; for tiles that are such a multiple it is the same).
    """

    shape: tuple[int, ...]
    """Extent of the volume along each axis, in pixels; at least 1."""

    tile: tuple[int, ...]
    """Extent of a tile along each axis, in pixels; at least 1."""

    step: tuple[int, ...]
    """Pixels from one tile to the next along each axis: 1 to the extent of the tile."""

    centred: bool = True
    """Whether a longer tile overhangs at both ends; else at the end only."""

    beyond: bool = False
    """Whether the last tiles overhang at the end, in place of being moved back."""

    def __post_init__(self) -> None:
        if not len(self.shape) == len(self.tile) == len(self.step) > 0:
            raise ValueError(
                f"shape {self.shape}, tile {self.tile} and step {self.step} need equal lengths"
            )
        if min(self.shape) < 1 or min(self.tile) < 1:
            raise ValueError(f"shape {self.shape} and tile {self.tile} must be at least 1")
        if any(not 1 <= s <= t for s, t in zip(self.step, self.tile, strict=True)):
            raise ValueError(f"a step must be 1 to the tile {self.tile}, not {self.step}")

    @cached_property
    def starts(self) -> tuple[tuple[int, ...], ...]:
        """First pixel of each tile along each axis, rising; below 0 where the tile is longer."""
        return tuple(
            _beyond(*axis) if self.beyond else _starts(*axis, self.centred)
            for axis in zip(self.shape, self.tile, self.step, strict=True)
        )

    @cached_property
    def _counts(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        return tuple(map(len, self.starts))

    def __len__(self) -> int:
        return prod(self._counts)

    def __iter__(self) -> Iterator[Region]:
        for start in itertools.product(*self.starts):
            yield Region(start, tuple(a + t for a, t in zip(start, self.tile, strict=True)))

    def places(self, number: int) -> tuple[int, ...]:
        """Return which tile along each axis that of a number in row-major order is."""
        places: list[int] = []
        for count in reversed(self._counts):
            number, place = divmod(number, count)
            places.append(place)
        return tuple(reversed(places))

    def region(self, number: int) -> Region:
        """Return the tile of that number in row-major order."""
        start = tuple(map(getitem, self.starts, self.places(number)))
        return Region(start, tuple(map(add, start, self.tile)))


def steps_of(tile: Sequence[int], overlaps: Sequence[float]) -> tuple[int, ...]:
    """Return the pixels from one tile to the next along each axis, at least 1.

    Args:
        tile: Sides of a tile, in pixels.
        overlaps: Shares of these sides that the next tile covers too, 0 to below 1.

    Example:
        >>> steps_of((32, 64), (0.5, 0.25))
        (16, 48)
    """
    return tuple(max(1, round(n * (1 - part))) for n, part in zip(tile, overlaps, strict=True))


def _starts(extent: int, tile: int, step: int, centred: bool) -> tuple[int, ...]:
    if extent < tile:
        return (-((tile - extent) // 2) if centred else 0,)
    last = extent - tile
    return (*range(0, last, step), last)


def _beyond(extent: int, tile: int, step: int) -> tuple[int, ...]:
    more = -(-max(extent - tile, 0) // step)
    return tuple(range(0, more * step + 1, step))
