"""Distances from the surface of one mask to that of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def surface(mask: Mask) -> Mask:
    """Return the pixels of a mask that touch, face to face, a pixel outside or the border.

    Args:
        mask: (*S), bool.

    Returns:
        (*S), bool: the mask without its erosion by a cross.

    Example:
        >>> surface(np.ones((3, 4), bool)).astype(int).tolist()
        [[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1]]
    """
    inside = mask.copy()
    for axis in range(mask.ndim):
        kept, stored = np.moveaxis(inside, axis, 0), np.moveaxis(mask, axis, 0)
        kept[1:] &= stored[:-1]
        kept[:-1] &= stored[1:]
        kept[0] = kept[-1] = False
    return mask & ~inside


def surface_distances(
    mask: Mask, other: Mask, spacing: Sequence[float] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far each surface pixel of one mask is from the other mask's surface.

    Args:
        mask: (*S), bool, with at least one pixel.
        other: (*S), bool, with at least one pixel.
        spacing: Distance of neighbouring pixels along each axis; None: 1.

    Returns:
        Distances (n,) from the surface of ``mask`` to that of ``other``, and (m,) the other way
        round, in units of ``spacing``, both in the order of the pixels in memory.

    Raises:
        ValueError: a mask is empty, shapes differ, or there is another number of spacings.
    """
    steps = tuple(spacing or (1.0,) * mask.ndim)
    if mask.shape != other.shape or len(steps) != mask.ndim:
        raise ValueError(f"masks are {mask.shape} and {other.shape}, spacing {steps}")
    box = _box(mask | other)
    first, second = surface(mask[box]), surface(other[box])
    if not first.any() or not second.any():
        raise ValueError("an empty mask has no surface")
    return _to(second, steps)[first], _to(first, steps)[second]


def _box(mask: Mask) -> tuple[slice, ...]:
    """Return the smallest box that holds a mask; outside of it nothing is nearer."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(k for k in range(mask.ndim) if k != axis)
        places = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(places[0]), int(places[-1]) + 1) if places.size else slice(None))
    return tuple(box)


def _to(goal: Mask, steps: Sequence[float]) -> NDArray[np.float64]:
    """Return (*S) the distance of every pixel to the nearest one of ``goal``."""
    from lamina.geometry.surfaces.kernels import along

    squares = np.where(goal, 0.0, np.inf)
    for axis, step in enumerate(steps):
        before = int(np.prod(goal.shape[:axis]))
        along(squares.reshape(before, goal.shape[axis], -1), float(step))
    return np.sqrt(squares)
