"""Volumes of three axes at another number of voxels, resampled region by region.

Voxels are boxes, corner to corner: the centre of voxel i of n lies at (i + 1/2) / n of the axis.
Along an axis that gets more voxels values are interpolated linearly between centres; along one
that gets fewer they are means over what a new voxel covers. Each axis is resampled by itself:

    stored  |   0   |   1   |   2   |        weights of 1': 1/6 of 0, 5/6 of 1  (3 to 4 voxels)
    seen    |  0' |  1' |  2' |  3' |
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.views.resized import resample
from lamina.geometry.region import Region
from lamina.volume import Placement, VolumeView, check_within, chunk_shape_of, placement_of


class Weights(NamedTuple):
    """How voxels ``start`` to ``stop`` of the source make some voxels of an axis."""

    start: int
    stop: int
    matrix: NDArray[np.float32]
    """(new voxels, stop - start); rows sum to 1."""


class Part(NamedTuple):
    """Some planes of a resampled answer, and the planes of the source that they decide."""

    first: int
    """Number of the first plane that is given."""
    seen: int
    """Planes of the whole resampled answer."""
    planes: range
    """Of the source."""
    stored: int
    """Planes of the whole source."""


def axis_weights(old: int, new: int, start: int, stop: int) -> Weights:
    """Return the weights that make the voxels ``start`` to ``stop`` of ``new`` from ``old``.

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
    first = int(low[0])
    last = min(int(np.ceil(high[-1] - 1e-9)), old)
    voxels = np.arange(first, last)
    matrix = np.minimum(high[:, None], voxels + 1) - np.maximum(low[:, None], voxels)
    matrix = matrix.clip(min=0) / matrix.clip(min=0).sum(1, keepdims=True)
    return Weights(first, last, matrix.astype(np.float32))


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
        axes = list(zip(self.source.shape, self.size, region.start, region.stop, strict=True))
        z, y, x = (axis_weights(*axis) for axis in axes)
        box = Region((z.start, y.start, x.start), (z.stop, y.stop, x.stop))
        values = self.source.read(box)
        count, planes = values.shape[:2]
        flat = np.empty((count, planes, *region.shape[1:]), np.float32)
        for channel, at in np.ndindex(count, planes):  # a plane at a time, to hold no more
            rows = y.matrix @ values[channel, at].astype(np.float32)
            np.matmul(rows, x.matrix.T, flat[channel, at])
        found: NDArray[np.float32] = np.matmul(z.matrix, flat.reshape(count, planes, -1))
        return found.reshape(count, *region.shape)

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


def at_source(
    values: NDArray[np.float32], sides: tuple[int, ...], part: Part
) -> NDArray[np.float32]:
    """Return some planes of an answer on the grid of the source.

    A plane is the same whatever others are asked for with it, to the byte.

    Args:
        values: (K, n, h, w) float32, the planes of the resampled answer from ``part.first`` on.
        sides: Of a plane of the source.
        part: The planes given and those asked for.

    Returns:
        (K, len(part.planes), *sides) float32.
    """
    found = np.empty((len(values), len(part.planes), *sides), np.float32)
    for at, plane in enumerate(part.planes):
        weights = axis_weights(part.seen, part.stored, plane, plane + 1)
        held = values[:, weights.start - part.first : weights.stop - part.first]
        mixed = held[:, 0] * weights.matrix[0, 0]
        for number in range(1, held.shape[1]):
            mixed += held[:, number] * weights.matrix[0, number]
        found[:, at] = resample(mixed, sides)
    return found
