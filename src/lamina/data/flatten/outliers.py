"""Cleaning what was fitted to tiles: gaps, outliers, and what is still left of them.

By the quantiles of all tiles, as published (INK-5), the deepest and the highest places of a sheet
are outliers by definition; by the tiles around it only one that leaves the sheet is.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_AROUND = 2  # tiles on either side
_DEVIATIONS = 3.0
_LEAST = 1 / 6  # layers, so that half a layer is never an outlier
_ROUNDS = 3


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
    ends = [np.quantile(lattice[known], quantiles) for lattice in lattices]
    filled = [np.where(known, one, one[known].mean()) for one in lattices]
    bad = _outside(filled, ends)
    found = [_interpolated(one, bad, rows, columns) for one in filled]
    left = _outside(found, ends)
    if left.all():
        return [np.full(one.shape, one[known].mean()) for one in lattices]
    return [np.where(left, one[~left].mean(), one) for one in found]


def cleaned_by_neighbours(lattices: Sequence[Array], rows: Array, columns: Array) -> list[Array]:
    """Return lattices of one fragment without gaps and without tiles that leave their neighbours.

    A tile is an outlier, in all lattices, if in one it is more than three robust deviations from
    the median of the 5 x 5 tiles around it; a deviation is 1.4826 times the median of such
    distances, and at least a sixth. Outliers and gaps are interpolated from the rest, linearly over
    triangles, beyond their hull as the nearest; and so on, until there are no outliers, at most
    three times.

    Args:
        lattices: Each (ny, nx), NaN at the same tiles of all.
        rows: (ny,) middles of the tiles.
        columns: (nx,) the same along columns.

    Raises:
        ValueError: no tile has a value.
    """
    good = ~np.isnan(lattices[0])
    if not good.any():
        raise ValueError("no tile has a value")
    found = list(lattices)
    for _ in range(_ROUNDS):
        leaving = np.any([_leaves(one) for one in found], axis=0)
        if not (good & ~leaving).any():
            break
        good &= ~leaving
        found = [_nearest(one, ~good, rows, columns) for one in found]
        if not leaving.any():
            break
        good = np.ones_like(good)
    return found


def smoothed(lattice: Array, sigma: float) -> Array:
    """Return a lattice under a Gaussian of ``sigma`` tiles, mirrored at the rim; 0: as it is."""
    if sigma == 0:
        return lattice
    size = 2 * int(4 * sigma + 0.5) + 1
    found = cv2.GaussianBlur(
        lattice, (size, size), sigma, sigmaY=sigma, borderType=cv2.BORDER_REFLECT
    )
    return np.asarray(found, np.float64)


def _leaves(lattice: Array) -> NDArray[np.bool_]:
    """Return the tiles that are far from the median of those around."""
    ring = np.pad(lattice, _AROUND, constant_values=np.nan)
    side = 2 * _AROUND + 1
    around = np.lib.stride_tricks.sliding_window_view(ring, (side, side))
    others = np.delete(around.reshape(*lattice.shape, side * side), side * side // 2, axis=-1)
    known = ~np.isnan(others).all(-1) & ~np.isnan(lattice)
    if not known.any():
        return known
    away = np.zeros(lattice.shape)
    away[known] = np.abs(lattice[known] - np.nanmedian(others[known], axis=-1))
    spread = max(1.4826 * float(np.median(away[known])), _LEAST)
    return np.asarray(away > _DEVIATIONS * spread)


def _nearest(lattice: Array, bad: NDArray[np.bool_], rows: Array, columns: Array) -> Array:
    """Return a lattice whose bad tiles are interpolated; beyond the hull the nearest good one."""
    y, x = np.meshgrid(rows, columns, indexing="ij")
    found = _interpolated(lattice, bad, rows, columns, np.nan)
    left = np.isnan(found)
    if left.any():
        apart = (y[left][:, None] - y[~bad]) ** 2 + (x[left][:, None] - x[~bad]) ** 2
        found[left] = lattice[~bad][apart.argmin(1)]
    return found


def _outside(lattices: Sequence[Array], ends: Sequence[Array]) -> NDArray[np.bool_]:
    """Return the tiles that are beyond the ends in any lattice, by more than rounding."""
    beyond = np.zeros(lattices[0].shape, np.bool_)
    for one, (low, high) in zip(lattices, ends, strict=True):
        slack = 1e-9 * max(1.0, abs(low), abs(high))
        beyond |= (one < low - slack) | (one > high + slack)
    return beyond


def _interpolated(
    lattice: Array, bad: NDArray[np.bool_], rows: Array, columns: Array, beyond: float = 0.0
) -> Array:
    """Return a lattice whose bad tiles are interpolated from the others; ``beyond`` their hull."""
    found = np.where(bad, beyond, lattice)
    if not bad.any() or (~bad).sum() < 3:
        return found
    y, x = np.meshgrid(rows, columns, indexing="ij")
    from matplotlib.tri import LinearTriInterpolator, Triangulation  # slow to import

    try:
        mesh = Triangulation(x[~bad], y[~bad])
    except (RuntimeError, ValueError):  # all on one line: they have no hull
        return found
    at = LinearTriInterpolator(mesh, lattice[~bad])(x[bad], y[bad])
    found[bad] = np.ma.filled(at, beyond)
    return found
