"""Probabilities as a target: what members answered where nobody drew a mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.refusals import reading
from lamina.volume import check_within


@dataclass(frozen=True)
class SoftTarget:
    """A ``.npy`` file of (channels, *shape) floats in 0..1, read a region at a time."""

    path: Path
    shape: tuple[int, ...]
    channels: int
    axes: str = "yx"

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What reads return, whatever is stored."""
        return np.dtype(np.float32)

    def read(self, region: Region) -> NDArray[np.float32]:
        """Return (channels, *region.shape) float32.

        Raises:
            DataError: the file is missing, damaged or of another shape.
        """
        check_within(self, region)
        with reading(self.path, remedy="make the labels again"):
            stored = np.load(self.path, mmap_mode="r", allow_pickle=False)
        if stored.shape != (self.channels, *self.shape):
            raise DataError(
                f"{self.path}: has shape {stored.shape}, needed is "
                f"{(self.channels, *self.shape)}; make the labels again"
            )
        return np.asarray(stored[(slice(None), *region.slices)], np.float32)
