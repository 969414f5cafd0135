"""A volume with its axes in another order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume.view import VolumeView, values_stamp
from lamina.volume.volume import check_within, chunk_shape_of


@dataclass(frozen=True)
class Transposed(VolumeView):
    """Another volume with its axes in another order; nothing is read or copied for it.

    ``order`` is that of ``numpy.transpose``: axis i is axis ``order[i]`` of the source. ``names``
    are those of the new axes: names belong to places, as in a stored array, and do not move along.
    """

    order: tuple[int, ...]
    names: str

    def __post_init__(self) -> None:
        count = len(self.source.shape)
        if sorted(self.order) != list(range(count)) or len(self.names) != count:
            raise ValueError(
                f"{self.source.name}: {count} axes cannot stand in the order {list(self.order)} "
                f"under the names '{self.names}'"
            )

    @property
    def axes(self) -> str:
        """The names given."""
        return self.names

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the source's axes in the new order."""
        return tuple(self.source.shape[axis] for axis in self.order)

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """That of the source in the new order."""
        chunk_shape = chunk_shape_of(self.source)
        return tuple(chunk_shape[axis] for axis in self.order)

    def stamp(self) -> str | None:
        """Return the source's with the order."""
        stored = values_stamp(self.source)
        return None if stored is None else f"{stored} {self.order}"

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
