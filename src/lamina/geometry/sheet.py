"""The surface of a part that is thin: its mean height over its plane, as triangles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.plane import FittedPlane


class HeightMap:
    """Mean heights of voxels over square cells of a plane.

    The plane is cut into cells of ``side``; a cell that holds voxels has a corner of the surface
    at its middle, at their mean distance from the plane. Four neighbouring corners make two
    triangles, three make one. A part that lies over itself, such as two faults that cross, has
    the mean of both there.
    """

    def __init__(self, plane: FittedPlane, corners: NDArray[np.float64], side: float) -> None:
        """Lay out the cells.

        Args:
            plane: What voxels lie in.
            corners: (n, 3) places that enclose all that will be added.
            side: Length of a cell, in the units of places.
        """
        self._plane, self._side = plane, side
        across = self._flat(corners)
        self._start = np.floor(across.min(axis=0) / side).astype(np.int64)
        shape = np.floor(across.max(axis=0) / side).astype(np.int64) - self._start + 1
        self._shape = (int(shape[0]), int(shape[1]))
        self._heights = np.zeros(self._shape)
        self._counts = np.zeros(self._shape, np.int64)

    def add(self, places: NDArray[np.float64]) -> None:
        """Add the places (n, 3) of voxels."""
        cells = np.floor(self._flat(places) / self._side).astype(np.int64) - self._start
        flat = np.ravel_multi_index((cells[:, 0], cells[:, 1]), self._shape)
        heights = (places - self._plane.centre) @ self._plane.normal
        size = self._counts.size
        self._counts += np.bincount(flat, minlength=size).reshape(self._shape)
        self._heights += np.bincount(flat, heights, minlength=size).reshape(self._shape)

    def triangles(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the corners (n, 3) that triangles use, and the triangles (m, 3) of corners."""
        there = self._counts > 0
        ids = np.full(self._shape, -1)
        ids[there] = np.arange(np.count_nonzero(there))
        quads = np.stack([ids[:-1, :-1], ids[1:, :-1], ids[1:, 1:], ids[:-1, 1:]], axis=-1)
        faces = np.concatenate(list(_faces(quads.reshape(-1, 4))))
        used, renamed = np.unique(faces, return_inverse=True)
        cells = np.argwhere(there)[used]
        heights = self._heights[there][used] / self._counts[there][used]
        middles = (cells + self._start + 0.5) * self._side
        plane = self._plane
        corners = (
            plane.centre
            + middles[:, :1] * plane.along
            + middles[:, 1:] * plane.dipping
            + heights[:, None] * plane.normal
        )
        return corners, renamed.reshape(-1, 3)

    def _flat(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (n, 2): how far along the strike and down the dip places are."""
        moved = places - self._plane.centre
        return np.stack([moved @ self._plane.along, moved @ self._plane.dipping], axis=1)


def _faces(quads: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """Yield the triangles of corners that are there, -1 where one is not, all turned alike."""
    there = quads >= 0
    whole = quads[there.all(axis=1)]
    yield whole[:, [0, 1, 2]]
    yield whole[:, [0, 2, 3]]
    three = there.sum(axis=1) == 3
    for kept in itertools.combinations(range(4), 3):
        yield quads[three & there[:, kept].all(axis=1)][:, kept]
