"""Outlines of masks along the edges of pixels, with holes.

A polygon runs along edges, not through centres, so that its area is the number of pixels:

    pixels   . # # .        ring  (0, 1) (0, 3) (1, 3) (1, 2) (2, 2) (2, 1), in (y, x)
             . # . .
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.int64]
"""(n, 2) corners y, x in pixels, closed: the last is the first."""


@dataclass(frozen=True)
class Polygon:
    """One area without gaps: an outer ring and the rings of its holes."""

    outer: Ring
    holes: tuple[Ring, ...] = ()

    @property
    def area(self) -> float:
        """Area in pixels."""
        return _area(self.outer) - sum(_area(hole) for hole in self.holes)


def polygons(mask: NDArray[np.bool_], offset: tuple[int, int] = (0, 0)) -> list[Polygon]:
    """Return the areas of a mask (H, W), each of pixels that share an edge.

    Args:
        mask: bool.
        offset: Row and column of its first pixel, added to all corners.

    Returns:
        Polygons whose areas sum to the number of pixels. Outer rings run clockwise as seen, holes
        the other way round.
    """
    image = np.ascontiguousarray(mask).view(np.uint8)
    count, labels = cv2.connectedComponents(image, connectivity=4)
    return [_polygon(labels == label, offset) for label in range(1, count)]


def _polygon(mask: NDArray[np.bool_], offset: tuple[int, int]) -> Polygon:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    box = mask[top : rows[-1] + 1, left : columns[-1] + 1].astype(np.uint8)
    doubled = np.kron(box, np.ones((2, 2), np.uint8))
    contours, levels = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    rings = list(_rings(contours, (offset[0] + top, offset[1] + left)))
    outer = [ring for ring, level in zip(rings, levels[0], strict=True) if level[3] < 0]
    holes = [ring for ring, level in zip(rings, levels[0], strict=True) if level[3] >= 0]
    return Polygon(
        _turned(outer[0], clockwise=True), tuple(_turned(h, clockwise=False) for h in holes)
    )


def _rings(contours: Any, offset: tuple[int, int]) -> Iterator[Ring]:
    """Yield contours of a mask that was doubled as rings of its edges.

    An even number is the first half of its pixel and lies on the edge before it, an odd one on the
    edge behind.
    """
    for contour in contours:
        points = contour[:, 0, ::-1].astype(np.int64)
        corners = (points + 1) // 2 + np.array(offset)
        yield _without_middles(corners)


def _without_middles(corners: Ring) -> Ring:
    """Return a closed ring without repeated corners and such as lie on a straight edge."""
    moved = (corners != np.roll(corners, 1, axis=0)).any(axis=1)
    corners = corners[moved]
    before, after = np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0)
    turn = (corners[:, 0] - before[:, 0]) * (after[:, 1] - corners[:, 1]) - (
        corners[:, 1] - before[:, 1]
    ) * (after[:, 0] - corners[:, 0])
    kept = corners[turn != 0]
    return np.concatenate([kept, kept[:1]])


def _turned(ring: Ring, *, clockwise: bool) -> Ring:
    return ring if (_signed(ring) > 0) == clockwise else ring[::-1]


def _area(ring: Ring) -> float:
    return abs(_signed(ring))


def _signed(ring: Ring) -> float:
    """Return the area within a ring; positive where it runs clockwise as seen (y down)."""
    y, x = ring[:-1].T, ring[1:].T
    return float((y[1] * x[0] - x[1] * y[0]).sum()) / 2
