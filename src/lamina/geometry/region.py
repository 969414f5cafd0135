"""A box of pixels, and the arithmetic on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add, le, lt, sub


@dataclass(frozen=True, slots=True)
class Region:
    """A half-open box ``start <= index < stop`` along each spatial axis, in pixels.

    A region may leave the volume it is laid on (negative starts, stops beyond the end):
    ``Volume.read`` refuses such a region, ``Frame.look`` pads it.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.start) != len(self.stop):
            raise ValueError(f"a region needs as many stops as starts: {self.start}, {self.stop}")
        if any(map(lt, self.stop, self.start)):
            raise ValueError(f"a region cannot stop before it starts: {self.start}, {self.stop}")

    @classmethod
    def whole(cls, shape: Sequence[int]) -> Region:
        """Return the region that covers all of ``shape``."""
        return cls((0,) * len(shape), tuple(int(n) for n in shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Length along each axis, in pixels."""
        return tuple(map(sub, self.stop, self.start))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The region as an index into an array; only right where it lies within."""
        return tuple(map(slice, self.start, self.stop))

    def within(self, shape: Sequence[int]) -> bool:
        """Whether no part of the region leaves a volume of ``shape``."""
        same = len(shape) == len(self.start)
        return same and min(self.start, default=0) >= 0 and all(map(le, self.stop, shape))

    def clip(self, shape: Sequence[int]) -> Region:
        """Return the part inside a volume of ``shape``; it may be empty."""
        start = tuple(min(max(a, 0), n) for a, n in zip(self.start, shape, strict=True))
        stop = tuple(max(min(b, n), a) for a, b, n in zip(start, self.stop, shape, strict=True))
        return Region(start, stop)

    def clip_to(self, other: Region) -> Region:
        """Return the part inside ``other``; where there is none, a side of it is 0."""
        start = tuple(map(max, self.start, other.start))
        return Region(start, tuple(map(max, start, map(min, self.stop, other.stop))))

    def shift(self, offset: Sequence[int]) -> Region:
        """Return the region moved by ``offset`` pixels along each axis."""
        if len(offset) != len(self.start):
            raise ValueError(f"offset {offset} needs a number for each axis of {self}")
        return Region(tuple(map(add, self.start, offset)), tuple(map(add, self.stop, offset)))
