"""An array in memory as a volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume.volume import check_within


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
