"""An array with named axes that is read a region at a time; an image is a volume of two axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region


@runtime_checkable
class Volume(Protocol):
    """An array with named axes that is read a region at a time.

    Opening one costs a header, never the pixels. Volumes pickle (loader workers get them), so
    an open file is reopened on first use in a new process.
    """

    @property
    def name(self) -> str:
        """What messages call it: the path, or a word for an array in memory."""
        ...

    @property
    def axes(self) -> str:
        """Names of the spatial axes in stored order, such as ``"yx"`` or ``"zyx"``."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        ...

    @property
    def channels(self) -> int:
        """Number of channels, at least 1."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type. A reader never widens, narrows or rescales."""
        ...

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``, in the stored type.

        Raises:
            ValueError: the region leaves the volume; padding is the caller's business.
            DataError: the bytes are missing or damaged; the message names file and region.
        """
        ...


@runtime_checkable
class Packed(Volume, Protocol):
    """A volume in boxes that are decoded whole, so that a slice costs every box it touches.

    Volumes that are mapped into memory may have this face too, with boxes of one voxel.
    """

    @property
    def grain(self) -> tuple[int, ...]:
        """Sides of such a box along each spatial axis, in pixels."""
        ...

    def stamp(self) -> str:
        """Return a digest of the files' names, sizes and times, without reading them."""
        ...


def read_all(volume: Volume) -> NDArray[Any]:
    """Return the whole volume as ``(channels, *shape)``, in the stored type."""
    return volume.read(Region.whole(volume.shape))


def check_within(volume: Volume, region: Region) -> None:
    """Raise ValueError where ``region`` leaves ``volume``."""
    if not region.within(volume.shape):
        raise ValueError(f"{volume.name}: {region} leaves the volume {volume.shape}")


@dataclass(frozen=True)
class ArrayVolume:
    """An array in memory, ``(channels, *shape)``."""

    array: NDArray[Any]
    axes: str = "yx"
    name: str = "array"

    def __post_init__(self) -> None:
        if self.array.ndim != len(self.axes) + 1:
            raise ValueError(
                f"{self.name}: array {self.array.shape} needs a channel axis before '{self.axes}'"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        return self.array.shape[1:]

    @property
    def channels(self) -> int:
        """Length of the first axis of the array."""
        return int(self.array.shape[0])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the array."""
        return self.array.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``: a view of the array."""
        check_within(self, region)
        return self.array[(slice(None), *region.slices)]


@dataclass(frozen=True)
class Crop:
    """A box of another volume, as a volume of its own."""

    source: Volume
    box: Region

    def __post_init__(self) -> None:
        check_within(self.source, self.box)

    @property
    def name(self) -> str:
        """Name of the source with the box."""
        spans = ",".join(f"{a}:{b}" for a, b in zip(self.box.start, self.box.stop, strict=True))
        return f"{self.source.name}[{spans}]"

    @property
    def axes(self) -> str:
        """Axes of the source."""
        return self.source.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the box."""
        return self.box.shape

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return self.source.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the source."""
        return self.source.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of the source, counted from the box's start."""
        check_within(self, region)
        return self.source.read(region.shift(self.box.start))


@dataclass(frozen=True)
class Plane:
    """One slice of a three-axis volume as an image; neighbours become channels.

    With ``context`` c the channels are the slices index-c ... index+c, in that order; beyond
    the ends the first or last slice is repeated.
    """

    source: Volume
    axis: str
    index: int
    context: int = 0

    def __post_init__(self) -> None:
        if self.axis not in self.source.axes or len(self.source.axes) != 3:
            raise ValueError(f"{self.source.name}: no axis '{self.axis}' in '{self.source.axes}'")
        if not 0 <= self.index < self.source.shape[self._at]:
            raise ValueError(f"{self.name}: beyond the {self.source.shape[self._at]} slices")

    @property
    def _at(self) -> int:
        return self.source.axes.index(self.axis)

    @property
    def name(self) -> str:
        """Name of the source with axis and index."""
        return f"{self.source.name}[{self.axis}={self.index}]"

    @property
    def axes(self) -> str:
        """The two axes that remain."""
        return self.source.axes.replace(self.axis, "")

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the two axes that remain."""
        shape = self.source.shape
        return shape[: self._at] + shape[self._at + 1 :]

    @property
    def channels(self) -> int:
        """Channels of the source, times the number of slices."""
        return self.source.channels * (2 * self.context + 1)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the source."""
        return self.source.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, rows, columns)``; slices from first to last, channels within."""
        check_within(self, region)
        at, last = self._at, self.source.shape[self._at] - 1
        first = max(self.index - self.context, 0)
        stop = min(self.index + self.context, last) + 1
        box = Region(
            (*region.start[:at], first, *region.start[at:]),
            (*region.stop[:at], stop, *region.stop[at:]),
        )
        slab = np.moveaxis(self.source.read(box), at + 1, 0)  # (slices, channels, rows, columns)
        if self.context:
            wanted = np.arange(self.index - self.context, self.index + self.context + 1)
            slab = slab[wanted.clip(0, last) - first]
        return slab.reshape(self.channels, *region.shape)


@dataclass(frozen=True)
class Transposed:
    """Another volume with its axes in another order; nothing is read or copied for it.

    ``order`` is that of ``numpy.transpose``: axis i is axis ``order[i]`` of the source. ``axes``
    names the new axes: names belong to places, as in a stored array, and do not move along.
    """

    source: Volume
    order: tuple[int, ...]
    axes: str

    def __post_init__(self) -> None:
        count = len(self.source.shape)
        if sorted(self.order) != list(range(count)) or len(self.axes) != count:
            raise ValueError(
                f"{self.source.name}: {count} axes cannot stand in the order {list(self.order)} "
                f"under the names '{self.axes}'"
            )

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.source.name

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the source's axes in the new order."""
        return tuple(self.source.shape[axis] for axis in self.order)

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return self.source.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the source."""
        return self.source.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``: a view of what the source returns."""
        check_within(self, region)
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        stored = self.source.read(
            Region(
                tuple(region.start[axis] for axis in back),
                tuple(region.stop[axis] for axis in back),
            )
        )
        return stored.transpose(0, *(axis + 1 for axis in self.order))
