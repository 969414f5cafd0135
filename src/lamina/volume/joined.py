"""Several volumes of one shape as the channels of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume.placement import Placement, placement_of
from lamina.volume.view import values_stamp
from lamina.volume.volume import Volume, check_within, chunk_shape_of


@dataclass(frozen=True)
class Joined:
    """The channels of all parts, one part after another.

    The type is the narrowest that holds the types of all parts, by ``numpy.result_type``.
    """

    parts: tuple[Volume, ...]

    def __post_init__(self) -> None:
        first = self.parts[0]
        for part in self.parts:
            if (part.axes, part.shape) != (first.axes, first.shape):
                raise ValueError(
                    f"{part.name}: is {part.axes} {part.shape}, and {first.name} is {first.axes} "
                    f"{first.shape}"
                )

    @property
    def name(self) -> str:
        """Name of the first part, with how many follow."""
        more = len(self.parts) - 1
        return self.parts[0].name + (f" and {more} more" if more else "")

    @property
    def axes(self) -> str:
        """Those of all parts."""
        return self.parts[0].axes

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all parts."""
        return self.parts[0].shape

    @property
    def channels(self) -> int:
        """Those of all parts together."""
        return sum(part.channels for part in self.parts)

    @property
    def dtype(self) -> np.dtype[Any]:
        """A type that holds those of all parts."""
        return np.result_type(*{part.dtype for part in self.parts})

    @property
    def placement(self) -> Placement:
        """That of the first part."""
        return placement_of(self.parts[0])

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """The largest sides of the boxes of all parts."""
        return tuple(map(max, zip(*map(chunk_shape_of, self.parts), strict=True)))

    def stamp(self) -> str | None:
        """Return those of all parts; None where one is not known."""
        stamps = [values_stamp(part) for part in self.parts]
        return None if None in stamps else " + ".join(map(str, stamps))

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``, read from each part."""
        check_within(self, region)
        return np.concatenate([part.read(region).astype(self.dtype) for part in self.parts])
