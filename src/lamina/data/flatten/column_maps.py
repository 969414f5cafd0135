"""How far each column of a stack is shifted and stretched: a coarse lattice, looked at finely."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region

Lattice = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Maps:
    """Shift and scale at the middles of tiles, bilinear between them, constant beyond.

    Nothing of the size of the fragment is held: a region's part is made when it is asked for.
    """

    shift: Lattice
    """(ny, nx) layers that the content goes down."""

    scale: Lattice
    """(ny, nx), above 1 where the content gets thicker."""

    rows: NDArray[np.float64]
    """(ny,) rising rows of the middles, in pixels of the stack."""

    columns: NDArray[np.float64]
    """(nx,) the same along columns."""

    def at(self, region: Region) -> tuple[Lattice, Lattice]:
        """Return shift and scale of every pixel of a region of two axes, each (h, w) float32."""
        (top, left), (bottom, right) = region.start, region.stop
        return self.between(np.arange(top, bottom), np.arange(left, right))

    def between(self, rows: NDArray[Any], columns: NDArray[Any]) -> tuple[Lattice, Lattice]:
        """Return shift and scale where any rows (h,) and columns (w,) meet, each (h, w) float32."""
        down, across = _before(self.rows, rows), _before(self.columns, columns)
        return _spread(self.shift, down, across), _spread(self.scale, down, across)

    def digest(self) -> str:
        """Return the SHA-256 of all numbers."""
        whole = hashlib.sha256()
        for part in (self.shift, self.scale, self.rows, self.columns):
            whole.update(
                f"{part.shape} {part.dtype}".encode() + np.ascontiguousarray(part).tobytes()
            )
        return whole.hexdigest()


Places = tuple[NDArray[np.intp], NDArray[np.float32]]


def _before(middles: NDArray[np.float64], at: NDArray[Any]) -> Places:
    """Return the middle before each place, and the place's share of the way to the next one."""
    if len(middles) == 1:
        return np.zeros(len(at), np.intp), np.zeros(len(at), np.float32)
    before = (np.searchsorted(middles, at, "right") - 1).clip(0, len(middles) - 2)
    share = (at - middles[before]) / (middles[before + 1] - middles[before])
    return before, share.clip(0, 1).astype(np.float32)


def _spread(lattice: Lattice, down: Places, across: Places) -> Lattice:
    """Return a lattice between its middles, (h, w)."""
    if np.ptp(lattice) == 0:
        return np.full((len(down[0]), len(across[0])), lattice.flat[0], np.float32)
    lines = _blend(lattice, *down)
    return np.ascontiguousarray(_blend(lines.T, *across).T)


def _blend(lattice: Lattice, before: NDArray[np.intp], share: NDArray[np.float32]) -> Lattice:
    """Return rows between the rows of a lattice."""
    found: Lattice = lattice[before]
    found += share[:, None] * (lattice[np.minimum(before + 1, len(lattice) - 1)] - found)
    return found
