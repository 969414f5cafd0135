"""Views: volumes that are computed from another volume as they are read.

A view says only what differs from its source. What is asked of volumes elsewhere (how they are
chunked, which copy of them would serve, what their noise is put on, some of their channels) is
asked of the view itself, so that a new view is one class and no other line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume.placement import NOWHERE, Placement, placement_of
from lamina.volume.volume import Chunked, Volume, chunk_shape_of


@dataclass(frozen=True)
class VolumeView(ABC):
    """Another volume, seen otherwise; what a subclass does not say is as in the source."""

    source: Volume

    selects: ClassVar[bool] = False
    """Whether it shows some places of the source and leaves their values as they are."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.source.name

    @property
    def axes(self) -> str:
        """Names of the spatial axes."""
        return self.source.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        return self.source.shape

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.source.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of what is read."""
        return self.source.dtype

    @abstractmethod
    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``; ValueError where the region leaves the volume."""

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Sides of the boxes that are decoded whole, in pixels.

        Those of the source where axes and shape are the same, else ones.
        """
        if (self.source.axes, self.source.shape) == (self.axes, self.shape):
            return chunk_shape_of(self.source)
        return (1,) * len(self.shape)

    @property
    def placement(self) -> Placement:
        """That of the source where axes and shape are the same, else nothing is known."""
        if (self.source.axes, self.source.shape) == (self.axes, self.shape):
            return placement_of(self.source)
        return NOWHERE

    def stamp(self) -> str | None:
        """Return all that decides the values, without reading them: ``values_stamp`` and more.

        None: it is not known, or a copy of the source serves as well as one of the view.
        """
        return None

    @property
    def copied(self) -> Volume:
        """The volume of which a copy would serve: the view itself, or what of its source it shows.

        A copy is made where this one is chunked, has three axes and a ``stamp``.
        """
        return self

    def over_copy(self, copy: Volume) -> Volume:
        """Return what shows the same from a copy of ``copied``."""
        return copy

    def over(self, source: Volume) -> Self:
        """Return the same view of another source."""
        return replace(self, source=source)

    def narrowed(self, first: int, count: int) -> Volume:
        """Return ``count`` channels from ``first``, which are within those there are."""
        return Channels(self, first, count)


View = TypeVar("View", bound=VolumeView)


@dataclass(frozen=True)
class Channels(VolumeView):
    """Some channels of another volume, one after another."""

    first: int
    count: int

    @property
    def channels(self) -> int:
        """Number of these channels."""
        return self.count

    def narrowed(self, first: int, count: int) -> Volume:
        """Return some of these channels."""
        return Channels(self.source, self.first + first, count)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(count, *region.shape)``; all channels of the source are read for it."""
        return self.source.read(region)[self.first : self.first + self.count]


def narrowed(volume: Volume, first: int, count: int) -> Volume:
    """Return ``count`` channels of a volume from ``first``; of layers no others are read."""
    if (first, count) == (0, volume.channels):
        return volume
    if isinstance(volume, VolumeView):
        return volume.narrowed(first, count)
    return Channels(volume, first, count)


def values_stamp(volume: Volume) -> str | None:
    """Return all that decides the values of a volume in a file; None where it is not known.

    That is what names the file's content, and what is done to the values read.
    """
    if isinstance(volume, VolumeView):
        return volume.stamp()
    stamp = volume.stamp() if isinstance(volume, Chunked) else None
    if stamp is None:
        return None
    return f"{stamp} {volume.axes} {volume.shape} {volume.channels} {volume.dtype}"


def view_chain(volume: Volume) -> Iterator[Volume]:
    """Yield a volume, then what it is a view of, down to the one that is none."""
    yield volume
    while isinstance(volume, VolumeView):
        volume = volume.source
        yield volume


def unselected(volume: Volume) -> Volume:
    """Return the volume that crops and slices are taken of; any other volume as it is."""
    while isinstance(volume, VolumeView) and volume.selects:
        volume = volume.source
    return volume


def without_view(volume: Volume, kind: type[View]) -> tuple[Volume, View | None]:
    """Return a volume, or its crops and slices, as if a view were not there; and that view.

    Any other volume is returned as it is, with None.
    """
    if isinstance(volume, kind):
        return volume.source, volume
    if isinstance(volume, VolumeView) and volume.selects:
        source, view = without_view(volume.source, kind)
        if view is not None:
            return volume.over(source), view
    return volume, None
