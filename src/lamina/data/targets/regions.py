"""Labels that are several stored values together, and may overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.label_values import plain
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import VolumeView, check_within


@dataclass(frozen=True)
class Regions(VolumeView):
    """One channel of 0 and 1 for each set of stored values, as nnU-Net's regions.

    ``values``: the stored values of each channel. ``ignore``: stored value that stays as it is in
    every channel; None: there is none. Values of no channel are background, 0 only.
    """

    values: tuple[tuple[int, ...], ...]
    ignore: int | None = None

    @property
    def channels(self) -> int:
        """One for each set of values."""
        return len(self.values)

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the stored labels, which holds the ignored value."""
        return self.source.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``.

        Raises:
            DataError: a stored value belongs to no channel, and is neither 0 nor ignored.
        """
        check_within(self, region)
        stored = plain(self.source, self.source.read(region))[0]
        known = {0, *(value for group in self.values for value in group)}
        if self.ignore is not None:
            known.add(self.ignore)
        odd = sorted(set(np.unique(stored).tolist()) - known)
        if odd:
            raise DataError(
                f"{self.name}: holds the value {odd[0]}, which dataset.json does not name; correct "
                "the labels there"
            )
        masks = np.stack([np.isin(stored, group) for group in self.values]).astype(self.dtype)
        if self.ignore is not None:
            masks[:, stored == self.ignore] = self.ignore
        found: NDArray[Any] = masks
        return found
