"""Cleaning what was fitted to tiles (INK-5): gaps, outliers, and what is still left of them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib.tri import LinearTriInterpolator, Triangulation
from numpy.typing import NDArray

Array = NDArray[np.float64]


def cleaned(
    lattices: Sequence[Array], rows: Array, columns: Array, quantiles: tuple[float, float]
) -> list[Array]:
    """Return lattices of one fragment without gaps and outliers (INK-5).

    A tile that is an outlier in one lattice is one in all. In order: NaN becomes the mean of the
    others; what lies outside the quantiles of its lattice is interpolated from the rest, linearly
    over triangles, 0 outside their hull; what lies outside even then becomes the mean of those
    inside.

    Args:
        lattices: Each (ny, nx), NaN at the same tiles of all.
        rows: (ny,) middles of the tiles.
        columns: (nx,) the same along columns.
        quantiles: Lower and upper, of the tiles that have a value.

    Raises:
        ValueError: no tile has a value.
    """
    known = ~np.isnan(lattices[0])
    if not known.any():
        raise ValueError("no tile has a value")
    ends = [np.quantile(one[known], quantiles) for one in lattices]
    filled = [np.where(known, one, one[known].mean()) for one in lattices]
    bad = _outside(filled, ends)
    found = [_interpolated(one, bad, rows, columns) for one in filled]
    left = _outside(found, ends)
    if left.all():
        return [np.full(one.shape, one[known].mean()) for one in lattices]
    return [np.where(left, one[~left].mean(), one) for one in found]


def smoothed(lattice: Array, sigma: float) -> Array:
    """Return a lattice under a Gaussian of ``sigma`` tiles, mirrored at the rim; 0: as it is."""
    if sigma == 0:
        return lattice
    size = 2 * int(4 * sigma + 0.5) + 1
    found = cv2.GaussianBlur(
        lattice, (size, size), sigma, sigmaY=sigma, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(found, np.float64)


def _outside(lattices: Sequence[Array], ends: Sequence[Array]) -> NDArray[np.bool_]:
    """Return the tiles that are beyond the ends in any lattice, by more than rounding."""
    beyond = np.zeros(lattices[0].shape, np.bool_)
    for one, (low, high) in zip(lattices, ends, strict=True):
        slack = 1e-9 * max(1.0, abs(low), abs(high))
        beyond |= (one < low - slack) | (one > high + slack)
    return beyond


def _interpolated(lattice: Array, bad: NDArray[np.bool_], rows: Array, columns: Array) -> Array:
    """Return a lattice whose bad tiles are interpolated from the others, 0 outside their hull."""
    found = np.where(bad, 0.0, lattice)
    if not bad.any() or (~bad).sum() < 3:
        return found
    y, x = np.meshgrid(rows, columns, indexing="ij")
    try:
        mesh = Triangulation(x[~bad], y[~bad])
    except (RuntimeError, ValueError):  # all on one line: they have no hull
        return found
    at = LinearTriInterpolator(mesh, lattice[~bad])(x[bad], y[bad])
    found[bad] = np.ma.filled(at, 0.0)
    return found
