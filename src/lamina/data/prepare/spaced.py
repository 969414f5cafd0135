"""A volume whose voxels are as far apart as somebody says, whatever its file says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.geometry.tiling.axis_order import seen_order, stored
from lamina.volume import Placement, VolumeView, placement_of


@dataclass(frozen=True)
class Spaced(VolumeView):
    """A volume of three axes with other distances between its voxels; values are the same."""

    spacing: tuple[float, ...]
    """Along z, y and x."""

    @property
    def placement(self) -> Placement:
        """That of the source with these distances, in the source's units."""
        spacing = stored(self.spacing, seen_order(self.source.axes))
        return replace(placement_of(self.source), spacing=spacing)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of the source."""
        return self.source.read(region)
