"""Where an image has data: not where its file says that a pixel has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume import Volume, VolumeView, check_within


@dataclass(frozen=True)
class WithData(VolumeView):
    """1 where no channel holds the value of no data, 0 elsewhere; and where ``valid`` is 0, too."""

    nodata: float
    valid: Volume | None = None

    channels = 1
    dtype = np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[Any]:
        """Return (1, *region.shape)."""
        check_within(self, region)
        stored = self.source.read(region)
        here = ~np.isnan(stored) if np.isnan(self.nodata) else stored != self.nodata
        counts = here.all(axis=0, keepdims=True)
        if self.valid is not None:
            counts &= self.valid.read(region) != 0
        return np.asarray(counts, np.uint8)
