"""A box of another volume."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume.placement import Placement, placement_of
from lamina.volume.view import VolumeView, narrowed
from lamina.volume.volume import Volume, check_within, chunk_shape_of


@dataclass(frozen=True)
class Crop(VolumeView):
    """A box of another volume, as a volume of its own."""

    box: Region

    selects = True

    def __post_init__(self) -> None:
        check_within(self.source, self.box)

    @property
    def name(self) -> str:
        """Name of the source with the box."""
        spans = ",".join(f"{a}:{b}" for a, b in zip(self.box.start, self.box.stop, strict=True))
        return f"{self.source.name}[{spans}]"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the box."""
        return self.box.shape

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """That of the source; cut between the borders of chunks, it meets some twice."""
        return chunk_shape_of(self.source)

    @property
    def placement(self) -> Placement:
        """That of the source, begun at the box."""
        return placement_of(self.source).cropped(self.box.start)

    def narrowed(self, first: int, count: int) -> Volume:
        """Return the same box of some channels of the source."""
        return replace(self, source=narrowed(self.source, first, count))

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of the source, counted from the box's start."""
        check_within(self, region)
        return self.source.read(region.shift(self.box.start))
