"""Outlines of masks along the edges of pixels, with holes.

A polygon runs along edges, not through centres, so that its area is the number of pixels:

    pixels   . # # .        ring  (0, 1) (0, 3) (1, 3) (1, 2) (2, 2) (2, 1), in (y, x)
             . # . .

A ring is known by its corners: each is the end of one level and of one upright edge, and corners
of a line in order are the ends of its edges. So rows may come band by band, and what is kept of
them are corners. Where two pixels of an area touch at a corner only, one of the two pixels between
them is enclosed by the area; rings turn around these two, so that none touches itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.int64]
"""(n, 2) corners y, x in pixels, closed: the last is the first."""

Corners = NDArray[np.int64]
"""(5, n): area, y, x, whether the level edge leads to the right, whether the upright leads down."""

NO_CORNERS: Corners = np.zeros((5, 0), np.int64)


@dataclass(frozen=True)
class Polygon:
    """One area without gaps: an outer ring and the rings of its holes."""

    outer: Ring
    holes: tuple[Ring, ...] = ()

    @property
    def area(self) -> float:
        """Area in pixels."""
        return _area(self.outer) - sum(_area(hole) for hole in self.holes)

    def moved(self, offset: NDArray[np.int64]) -> Polygon:
        """Return the polygon with ``offset`` (y, x) added to all corners."""
        return Polygon(self.outer + offset, tuple(hole + offset for hole in self.holes))


def polygons(mask: NDArray[np.bool_], offset: tuple[int, int] = (0, 0)) -> list[Polygon]:
    """Return the areas of a mask (H, W), each of pixels that share an edge.

    Args:
        mask: bool.
        offset: Row and column of its first pixel, added to all corners.

    Returns:
        Polygons in raster order whose areas sum to the number of pixels. Outer rings run clockwise
        as seen, holes the other way round.
    """
    found = polygons_of(area_corners(areas_of(mask)))
    return [one.moved(np.array(offset)) for one in found.values()]


def areas_of(labels: NDArray[Any]) -> NDArray[np.int32]:
    """Return numbers from 1, in raster order, of areas of one label whose pixels share edges."""
    if not labels.any():
        return np.zeros(labels.shape, np.int32)
    return np.asarray(cc3d.connected_components(labels, connectivity=4), np.int32)


def area_corners(areas: NDArray[Any]) -> Corners:
    """Return the corners of all areas of an image (H, W) of numbers, 0 where there is none."""
    none = np.zeros((1, areas.shape[1]), areas.dtype)
    return corners_of(np.concatenate([none, areas, none]), 0)


def corners_of(rows: NDArray[Any], top: int) -> Corners:
    """Return the corners of areas on the lines between rows.

    Args:
        rows: (n + 1, W) numbers of areas, 0 where there is none; no two areas share a pixel's edge
            and a number.
        top: Line between the first two rows: the number of rows above it.
    """
    wide = np.pad(rows, ((0, 0), (1, 1)))
    a, b, c, d = wide[:-1, :-1], wide[:-1, 1:], wide[1:, :-1], wide[1:, 1:]
    across, along = wide[:, :-1] == wide[:, 1:], wide[:-1] == wide[1:]
    y, x = np.nonzero(~(across[:-1] & across[1:] | along[:, :-1] & along[:, 1:]))
    a, b, c, d = (some[y, x] for some in (a, b, c, d))
    parts = [NO_CORNERS]

    def add(where: NDArray[np.bool_], area: NDArray[Any], right: int, down: int) -> None:
        at = np.flatnonzero(where & (area > 0))
        ways = np.broadcast_to([[right], [down]], (2, len(at)))
        parts.append(np.concatenate([[area[at], y[at] + top, x[at]], ways]).astype(np.int64))

    # One pixel of an area, or all but one: (pixel, beside it, above or below it, across, way).
    for pixel, beside, over, across, right, down in (
        (a, b, c, d, 0, 0),
        (b, a, d, c, 1, 0),
        (c, d, a, b, 0, 1),
        (d, c, b, a, 1, 1),
    ):
        add((pixel != beside) & (pixel != over) & (pixel != across), pixel, right, down)
        add((beside == over) & (beside == across) & (beside != pixel), beside, right, down)
    falling = (a == d) & (a != b) & (a != c)  # around b, and around c
    add(falling, a, 1, 0)
    add(falling, a, 0, 1)
    rising = (b == c) & (b != a) & (b != d)  # around a, and around d
    add(rising, b, 0, 0)
    add(rising, b, 1, 1)
    return np.concatenate(parts, axis=1)


def polygons_of(corners: Corners) -> dict[int, Polygon]:
    """Return the polygon of each area whose corners are all there, by its number."""
    area, y, x, right, down = corners
    level = np.lexsort((right, x, y, area))
    across, along = _partners(level), _partners(np.lexsort((down, y, x, area)))
    rings: dict[int, list[Ring]] = {}
    places = corners[1:3].T
    for first, ring in _rings(level.tolist(), across, along):
        closed = places[[*ring, ring[0]]]
        # Its first corner is the leftmost of its highest: rings begin to the right, clockwise.
        own = rings.setdefault(int(area[first]), [])
        own.append(closed[::-1] if own else closed)
    return {number: Polygon(own[0], tuple(own[1:])) for number, own in rings.items()}


def _partners(order: NDArray[np.int64]) -> list[int]:
    """Return the other end of each corner's edge; corners in order are ends by pairs."""
    partner = np.empty(len(order), np.int64)
    partner[order[::2]], partner[order[1::2]] = order[1::2], order[::2]
    return partner.tolist()


def _rings(
    order: list[int], across: list[int], along: list[int]
) -> Iterator[tuple[int, list[int]]]:
    seen = bytearray(len(order))
    for first in order:
        if seen[first]:
            continue
        ring: list[int] = []
        at = first
        while not seen[at]:
            end = across[at]
            seen[at] = seen[end] = True
            ring += (at, end)
            at = along[end]
        yield first, ring


def _area(ring: Ring) -> float:
    """Return the area within a ring."""
    y, x = ring[:-1].T, ring[1:].T
    return abs(float((y[1] * x[0] - x[1] * y[0]).sum())) / 2
