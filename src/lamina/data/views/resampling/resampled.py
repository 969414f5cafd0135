"""Volumes of three axes at another number of voxels, resampled region by region.

Voxels are boxes, corner to corner: the centre of voxel i of n lies at (i + 1/2) / n of the axis.
Along an axis that gets more voxels values are interpolated linearly between centres; along one
that gets fewer they are means over what a new voxel covers. Each axis is resampled by itself:

    stored  |   0   |   1   |   2   |        weights of 1': 1/6 of 0, 5/6 of 1  (3 to 4 voxels)
    seen    |  0' |  1' |  2' |  3' |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.geometry.region import Region
from lamina.volume import Placement, VolumeView, check_within, chunk_shape_of, placement_of


class Weights(NamedTuple):
    """How voxels ``start`` to ``stop`` of the source make n voxels of an axis."""

    start: int
    stop: int
    numbers: NDArray[np.int64]
    """(t, n), of the voxels of the source that make each, counted from ``start``; as many for all,
    the last one again where there are fewer. t is 1 where the axis keeps its voxels."""
    shares: NDArray[np.float32]
    """(t, n); those of a new voxel sum to 1, and are 0 where a number is there again."""

    @property
    def matrix(self) -> NDArray[np.float32]:
        """(n, stop - start)."""
        count = self.numbers.shape[1]
        found = np.zeros((count, self.stop - self.start), np.float32)
        np.add.at(found, (np.arange(count), self.numbers), self.shares)
        return found


class Part(NamedTuple):
    """A box of an answer on the grid of the source, and what is given of the resampled answer."""

    box: Region
    """Of the source."""
    stored: tuple[int, ...]
    """Sides of the whole source."""
    first: tuple[int, ...]
    """Where the values that are given begin in the resampled answer."""
    seen: tuple[int, ...]
    """Sides of the whole resampled answer."""


def axis_weights(old: int, new: int, start: int, stop: int) -> Weights:
    """Return the weights that make the voxels ``start`` to ``stop`` of ``new`` from ``old``.

    Those of a voxel are the same whatever others are asked for with it.

    Example:
        >>> axis_weights(4, 2, 0, 2).matrix.tolist()
        [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    step, numbers = old / new, np.arange(start, stop)
    if step > 1:  # fewer voxels: means over what each covers
        low, high = numbers * step, (numbers + 1) * step
    else:
        centre = np.clip((numbers + 0.5) * step - 0.5, 0, old - 1)
        low, high = centre, centre + 1
    first = low.astype(np.int64)
    last = np.minimum(np.ceil(high - 1e-9).astype(np.int64), old) - 1
    count = 1 if old == new else int(np.ceil(max(step, 1) - 1e-9)) + 1
    voxels = first + np.arange(count)[:, None]
    shares = (np.minimum(high, voxels + 1) - np.maximum(low, voxels)).clip(min=0)
    shares[voxels > last] = 0
    shares /= shares.sum(0)
    begin = int(first[0])
    numbers = np.minimum(voxels, last) - begin
    return Weights(begin, int(last[-1]) + 1, numbers, shares.astype(np.float32))


def source_region(region: Region, seen: Sequence[int], stored: Sequence[int]) -> Region:
    """Return which voxels of a resampled answer make a region of the source.

    Args:
        region: Of some axes of the source.
        seen: Sides of the whole resampled answer along these axes.
        stored: Sides of the whole source.
    """
    sides = zip(seen, stored, region.start, region.stop, strict=True)
    needed = [axis_weights(*side) for side in sides]
    return Region(tuple(one.start for one in needed), tuple(one.stop for one in needed))


def seen_planes(seen: int, stored: int, thick: int) -> int:
    """Return how many planes of ``seen`` at most make ``thick`` planes of ``stored``."""
    return -(-thick * seen // stored) + 2


@dataclass(frozen=True)
class Resampled(VolumeView):
    """A volume of three axes seen with another number of voxels along each, as they are stored.

    ``smooth`` interpolates or averages, in float32; without it every voxel is the stored one that
    holds its centre, so that classes stay classes.
    """

    size: tuple[int, int, int]
    smooth: bool

    def __post_init__(self) -> None:
        if len(self.source.axes) != 3 or min(self.size) < 1:
            raise ValueError(f"{self.source.name}: axes '{self.source.axes}' to {self.size}")

    @property
    def shape(self) -> tuple[int, ...]:
        """That number of voxels."""
        return self.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32, or the type of the source."""
        return np.dtype(np.float32) if self.smooth else self.source.dtype

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """About the boxes of the source."""
        sides = zip(chunk_shape_of(self.source), self.source.shape, self.size, strict=True)
        return tuple(max(1, side * new // old) for side, old, new in sides)

    @property
    def placement(self) -> Placement:
        """Axes and spacing; where the first voxel lies is left out."""
        own = placement_of(self.source)
        if own.spacing is None:
            return replace(own, origin=None)
        steps = zip(own.spacing, self.source.shape, self.size, strict=True)
        spacing = tuple(None if one is None else one * old / new for one, old, new in steps)
        return replace(own, spacing=spacing, origin=None)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``; of the source what the region needs is read."""
        check_within(self, region)
        if not self.smooth:
            return self._nearest(region)
        axes = zip(self.source.shape, self.size, region.start, region.stop, strict=True)
        weights = [axis_weights(*axis) for axis in axes]
        box = Region(tuple(one.start for one in weights), tuple(one.stop for one in weights))
        return _resampled(self.source.read(box), weights)

    def _nearest(self, region: Region) -> NDArray[Any]:
        axes = zip(self.source.shape, self.size, region.start, region.stop, strict=True)
        # In whole numbers: the stored voxel that holds the centre.
        numbers = [(2 * np.arange(a, b) + 1) * old // (2 * new) for old, new, a, b in axes]
        start = tuple(int(one[0]) for one in numbers)
        box = Region(start, tuple(int(one[-1]) + 1 for one in numbers))
        z, y, x = (one - first for one, first in zip(numbers, start, strict=True))
        found: NDArray[Any] = self.source.read(box)[:, z[:, None, None], y[:, None], x]
        return found


def resampled(case: Case, shape: tuple[int, ...]) -> Case:
    """Return a case of three axes at another shape; the one it has changes nothing.

    Args:
        case: Opened, not read. Targets of floats are smooth, others hold classes.
        shape: Of three axes, as they are stored.
    """
    if tuple(case.image.shape) == shape:
        return case
    z, y, x = shape
    target, valid = case.target, case.valid
    if target is not None:
        target = Resampled(target, (z, y, x), smooth=target.dtype.kind == "f")
    return replace(
        case,
        image=Resampled(case.image, (z, y, x), smooth=True),
        target=target,
        valid=None if valid is None else Resampled(valid, (z, y, x), smooth=False),
        places=None if case.places is None else case.places.resized(shape),
    )


def at_source(values: NDArray[np.float32], part: Part) -> NDArray[np.float32]:
    """Return a box of an answer on the grid of the source.

    A voxel is the same whatever others are asked for with it, to the byte.

    Args:
        values: (K, *s) float32, the resampled answer from ``part.first`` on.
        part: The box.

    Returns:
        (K, *part.box.shape) float32.
    """
    axes = zip(part.seen, part.stored, part.box.start, part.box.stop, strict=True)
    weights = [axis_weights(*axis) for axis in axes]
    spans = [
        slice(one.start - first, one.stop - first)
        for one, first in zip(weights, part.first, strict=True)
    ]
    return _resampled(values[(slice(None), *spans)], weights)


def _resampled(values: NDArray[Any], weights: Sequence[Weights]) -> NDArray[np.float32]:
    """Return (C, *S) float32 of values (C, *s) along three axes.

    Products are added one after another, as no library of matrices promises, so that a voxel does
    not depend on the region that it is asked for with.
    """
    z, y, x = weights
    sides, planes = [one.numbers.shape[1] for one in weights], values.shape[1]
    found = np.empty((len(values), *sides), np.float32)
    kept = len(z.numbers) == 1  # z keeps its voxels
    flat = found[:0] if kept else np.empty((planes, *sides[1:]), np.float32)
    for channel, out in zip(values, found, strict=True):
        flat = out if kept else flat
        for plane, place in zip(channel, flat, strict=True):
            place[...] = _along(_along(plane.astype(np.float32), y).T, x).T
        if kept:
            continue
        for place, numbers, shares in zip(out, z.numbers.T, z.shares.T, strict=True):
            np.multiply(flat[numbers[0]], shares[0], out=place)
            for number, share in zip(numbers[1:], shares[1:], strict=True):
                place += flat[number] * share
    return found


def _along(values: NDArray[np.float32], weights: Weights) -> NDArray[np.float32]:
    """Return (n, columns) of values (rows, columns)."""
    if len(weights.numbers) == 1:
        return values
    found: NDArray[np.float32] | None = None
    for numbers, shares in zip(weights.numbers, weights.shares[:, :, None], strict=True):
        product = values[numbers]
        product *= shares
        found = product if found is None else np.add(found, product, out=found)
    assert found is not None
    return found
