"""Connected parts of a mask: their sizes, and a mask without the small ones."""

from __future__ import annotations

from typing import Any, Literal

import cc3d
import cv2
import numpy as np
from numpy.typing import NDArray

Connectivity = Literal[4, 8, 6, 18, 26]
"""Neighbours of a pixel: 4 or 8 in two axes; 6 (faces), 18 or 26 in three."""

_CHOICES: dict[int, tuple[Connectivity, ...]] = {2: (8, 4), 3: (26, 18, 6)}


def drop_small(
    mask: NDArray[np.bool_], minimum: int, connectivity: Connectivity | None = None
) -> NDArray[np.bool_]:
    """Return the mask without the connected parts of fewer than ``minimum`` pixels.

    Args:
        mask: (H, W) or (D, H, W), bool.
        minimum: The smallest part that stays, in pixels; 0 and 1 keep everything.
        connectivity: Which neighbours belong together; None: all (8, or 26).

    Returns:
        A new mask of the same shape.

    Raises:
        ValueError: the mask is not bool, has other than two or three axes, or the connectivity
            does not fit them.
    """
    neighbours = _checked(mask, connectivity)
    if minimum <= 1 or not mask.any():
        return mask.copy()
    labels, counts = _label(mask, neighbours)
    large = counts >= minimum
    large[0] = False  # the background
    kept: NDArray[np.bool_] = large[labels]
    return kept


def keep_seeded(
    mask: NDArray[np.bool_],
    seeds: NDArray[np.bool_],
    minimum: int,
    connectivity: Connectivity | None = None,
) -> NDArray[np.bool_]:
    """Return the mask without the connected parts that hold fewer than ``minimum`` seeds.

    Args:
        mask: (H, W) or (D, H, W), bool.
        seeds: The same shape, bool; seeds outside the mask do not count.
        minimum: The least number of seeds of a part that stays; 0 keeps everything.
        connectivity: Which neighbours belong together; None: all (8, or 26).

    Raises:
        ValueError: as ``drop_small``, or the shapes differ.
    """
    neighbours = _checked(mask, connectivity)
    if seeds.shape != mask.shape:
        raise ValueError(f"seeds {seeds.shape} for a mask {mask.shape}")
    if minimum <= 0 or not mask.any():
        return mask.copy()
    labels, counts = _label(mask, neighbours)
    large = np.bincount(labels[seeds], minlength=counts.size) >= minimum
    large[0] = False  # the background
    kept: NDArray[np.bool_] = large[labels]
    return kept


def sizes(mask: NDArray[np.bool_], connectivity: Connectivity | None = None) -> NDArray[np.int64]:
    """Return the number of pixels of each connected part, (parts,), largest first.

    Arguments and errors are those of ``drop_small``.
    """
    neighbours = _checked(mask, connectivity)
    if not mask.any():
        return np.zeros(0, np.int64)
    _, counts = _label(mask, neighbours)
    return np.sort(counts[1:])[::-1]


def label_parts(
    mask: NDArray[np.bool_], connectivity: Connectivity | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the number of each pixel's connected part, and the pixels of each part.

    Arguments and errors are those of ``drop_small``.

    Returns:
        Numbers from 1 in the shape of the mask, 0 outside of it, and (parts + 1,) sizes.
    """
    return _label(mask, _checked(mask, connectivity))


def part_sizes(
    mask: NDArray[np.bool_], connectivity: Connectivity | None = None
) -> NDArray[np.int64]:
    """Return for each pixel the number of pixels of its connected part, 0 outside the mask.

    Arguments and errors are those of ``drop_small``; the shape is that of the mask.
    """
    neighbours = _checked(mask, connectivity)
    if not mask.any():
        return np.zeros(mask.shape, np.int64)
    labels, counts = _label(mask, neighbours)
    counts[0] = 0  # the background
    sizes_by_pixel: NDArray[np.int64] = counts[labels]
    return sizes_by_pixel


def _checked(mask: NDArray[np.bool_], connectivity: Connectivity | None) -> Connectivity:
    if mask.dtype != np.bool_:
        raise ValueError(f"parts are found in a bool mask, not in {mask.dtype}")
    choices = _CHOICES.get(mask.ndim)
    if choices is None:
        raise ValueError(f"a mask has two or three axes, not the shape {mask.shape}")
    if connectivity is None:
        return choices[0]
    if connectivity not in choices:
        raise ValueError(f"connectivity {connectivity} does not fit {mask.ndim} axes: {choices}")
    return connectivity


def _label(
    mask: NDArray[np.bool_], connectivity: Connectivity
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return labels from 0 (background) and the pixels of each; cv2 and cc3d are the fastest."""
    if mask.ndim == 2:
        image = np.ascontiguousarray(mask).view(np.uint8)
        _, flat, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=connectivity)
        return flat, stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    labels = labelled(mask, connectivity)
    return labels, np.bincount(labels.ravel()).astype(np.int64)


def labelled(mask: NDArray[np.bool_], connectivity: Connectivity) -> NDArray[Any]:
    """Return labels (D, H, W) of a bool volume, without gaps from 0 (background)."""
    # With 26 neighbours cc3d 4.1 makes room for one label too few where every second voxel along
    # each axis is a part of its own; two empty columns and a row make it reckon with more.
    room = 2 if connectivity == 26 else 0
    wide = np.pad(mask, ((0, 0), (0, room // 2), (0, room)))
    padded = cc3d.connected_components(wide, connectivity=connectivity)
    labels: NDArray[Any] = padded[:, : mask.shape[1], : mask.shape[2]]
    return labels
