"""A volume with its axes in another order, and some of them turned round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.orientation import Turn
from lamina.geometry.region import Region
from lamina.volume.placement import Placement, placement_of
from lamina.volume.view import VolumeView, values_stamp
from lamina.volume.volume import check_within, chunk_shape_of


@dataclass(frozen=True)
class Transposed(VolumeView):
    """Another volume with its axes in another order; nothing is read or copied for it.

    ``order`` is that of ``numpy.transpose``: axis i is axis ``order[i]`` of the source. ``names``
    are those of the new axes: names belong to places, as in a stored array, and do not move along.
    ``flipped``: which of the new axes run from the end of the source's; empty: none.
    """

    order: tuple[int, ...]
    names: str
    flipped: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.source.shape)
        if sorted(self.order) != list(range(count)) or len(self.names) != count:
            raise ValueError(
                f"{self.source.name}: {count} axes cannot stand in the order {list(self.order)} "
                f"under the names '{self.names}'"
            )
        if len(self.flipped) not in (0, count):
            raise ValueError(f"{self.source.name}: {self.flipped} does not say which axes to flip")

    @property
    def turn(self) -> Turn:
        """What is done to the source."""
        return Turn(self.order, self.flipped or (False,) * len(self.order))

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

    @property
    def placement(self) -> Placement:
        """That of the source, turned alike."""
        return placement_of(self.source).turned(self.turn, self.source.shape)

    def stamp(self) -> str | None:
        """Return the source's with the order, and what is flipped."""
        stored = values_stamp(self.source)
        if stored is None:
            return None
        return f"{stored} {self.order}" + (f" {self.flipped}" if any(self.flipped) else "")

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``: a view of what the source returns, or a copy."""
        check_within(self, region)
        back = sorted(range(len(self.order)), key=self.order.__getitem__)
        spans = [
            (length - stop, length - start) if flip else (start, stop)
            for start, stop, length, flip in zip(
                region.start, region.stop, self.shape, self.turn.flipped, strict=True
            )
        ]
        stored = self.source.read(
            Region(tuple(spans[axis][0] for axis in back), tuple(spans[axis][1] for axis in back))
        )
        turned = stored.transpose(0, *(axis + 1 for axis in self.order))
        if not any(self.flipped):
            return turned
        steps = (slice(None, None, -1 if flip else None) for flip in self.flipped)
        return np.ascontiguousarray(turned[(slice(None), *steps)])
