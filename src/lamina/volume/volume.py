"""What every volume promises; an image is a volume of two axes."""

from __future__ import annotations

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
class Chunked(Volume, Protocol):
    """A volume in boxes that are decoded whole, so that a slice costs every box it touches.

    Volumes that are mapped into memory may have this face too, with boxes of one voxel.
    """

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Sides of such a box along each spatial axis, in pixels."""
        ...

    def stamp(self) -> str | None:
        """Return what tells changed values without reading them; None where nothing does.

        For a file that is a digest of names, sizes and times.
        """
        ...


def chunk_shape_of(volume: Volume) -> tuple[int, ...]:
    """Return the sides of the boxes that a volume decodes whole; ones where it has none."""
    return volume.chunk_shape if isinstance(volume, Chunked) else (1,) * len(volume.shape)


def read_all(volume: Volume) -> NDArray[Any]:
    """Return the whole volume as ``(channels, *shape)``, in the stored type."""
    return volume.read(Region.whole(volume.shape))


def check_within(volume: Volume, region: Region) -> None:
    """Raise ValueError where ``region`` leaves ``volume``."""
    if not region.within(volume.shape):
        raise ValueError(f"{volume.name}: {region} leaves the volume {volume.shape}")
