"""Three planes of a volume through the place where most is wrong."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.network_input.frame import Frame
from lamina.geometry.region import Region
from lamina.volume import Volume
from lamina.volume.placement import placement_of

_AROUND = 15  # voxels that are looked at together

Plane = tuple[str, NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]
"""Its word, image (C, H, W), truth and decided masks (K, H, W)."""


def down_of(volume: Volume, frame: Frame) -> int:
    """Return the number of the axis that points downwards in pictures.

    It is the axis of samples of SEG-Y; of a recipe with slices across two axes the one that no
    slice cuts; else the first but one, rows of the slices that are stored.
    """
    axes = volume.axes
    if placement_of(volume).world == "lines":
        return len(axes) - 1
    if frame.slices is not None and len(frame.slices.axes) == 2:
        return next(n for n, axis in enumerate(axes) if axis not in frame.slices.axes)
    return len(axes) - 2


def middle_of_errors(wrong: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Return the voxel of (Z, Y, X) about which most is wrong, in the slice with most errors."""
    z = int(wrong.sum(axis=(1, 2)).argmax())
    sums = cv2.boxFilter(wrong[z].astype(np.float32), -1, (_AROUND, _AROUND), normalize=False)
    y, x = np.unravel_index(int(sums.argmax()), sums.shape)
    return z, int(y), int(x)


def planes(
    image: Volume,
    target: NDArray[np.bool_],
    answer: NDArray[np.bool_],
    *,
    down: int,
    start: tuple[int, ...] = (0, 0, 0),
) -> list[Plane]:
    """Return the planes across each axis through the place where most is wrong.

    Voxels are as large as the file says, and the axis ``down`` points downwards where a plane
    has it.

    Args:
        image: Of three axes.
        target: (K, Z, Y, X) truth.
        answer: (K, Z, Y, X) decided masks.
        down: Number of an axis.
        start: Place of the first voxel in the whole volume, for the words.
    """
    middle = middle_of_errors(np.asarray((target != answer).any(axis=0)))
    spacing = spacing_of(image)
    found = []
    for axis in range(3):
        region_start, region_stop = [0, 0, 0], list(image.shape)
        region_start[axis], region_stop[axis] = middle[axis], middle[axis] + 1
        pixels = image.read(Region(tuple(region_start), tuple(region_stop))).squeeze(axis + 1)
        masks = [np.take(one, middle[axis], axis=axis + 1) for one in (target, answer)]
        rows, columns = (n for n in range(3) if n != axis)
        parts = [pixels, *masks]
        if columns == down:
            parts = [part.swapaxes(1, 2) for part in parts]
            rows, columns = columns, rows
        parts = [_stretched(part, spacing[rows], spacing[columns]) for part in parts]
        word = f"{image.axes[axis]} = {start[axis] + middle[axis]}"
        found.append((word, parts[0], parts[1], parts[2]))
    return found


def spacing_of(image: Volume) -> tuple[float, ...]:
    """Return how far apart voxels are along each axis; ones where that is not known."""
    said = placement_of(image)
    if said.world == "lines" or said.spacing is None or None in said.spacing:
        return (1.0, 1.0, 1.0)  # numbers of lines and times have no common unit
    return tuple(float(step or 1.0) for step in said.spacing)


def _stretched(values: NDArray[Any], down: float, right: float) -> NDArray[Any]:
    """Return (C, H, W) with pixels repeated so that they are as tall as they are wide."""
    ratio = down / right
    if 0.9 < ratio < 1.1:
        return values
    _, height, width = values.shape
    rows, columns = (round(height * ratio), width) if ratio > 1 else (height, round(width / ratio))
    up = np.minimum(np.arange(rows) * height // rows, height - 1)
    along = np.minimum(np.arange(columns) * width // columns, width - 1)
    return values[:, up][:, :, along]
