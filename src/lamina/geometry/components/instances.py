"""Masks taken apart into objects: connected components, or touching ones split by distance."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.geometry.components.labelling import Connectivity, labelled

Split = Literal["none", "distance"]

_CORE = 0.6
"""Share of a component's greatest distance from its border above which a pixel is a seed."""


def label_instances(
    mask: NDArray[np.bool_],
    *,
    minimum: int = 1,
    connectivity: Connectivity | None = None,
    split: Split = "none",
) -> NDArray[np.int32]:
    """Return labels 1, 2, ... of the objects of a mask in raster order, 0 elsewhere.

    Args:
        mask: (H, W) or (D, H, W), bool.
        minimum: The smallest object that is kept, in pixels.
        connectivity: Which neighbours belong together; None: all (8, or 26).
        split: ``distance``: touching objects of a flat mask are parted; a component has a core
            where the distance from its border is large, and each pixel goes to the nearest.

    Raises:
        ValueError: a volume is to be split, or the connectivity does not fit.
    """
    if split == "distance" and mask.ndim != 2:
        raise ValueError("split='distance' takes masks of two axes")
    if not mask.any():
        return np.zeros(mask.shape, np.int32)
    if split == "distance":
        labels = _parted(mask)
    elif mask.ndim == 2:
        image = np.ascontiguousarray(mask).view(np.uint8)
        found = cv2.connectedComponents(image, connectivity=connectivity or 8)[1]
        labels = np.asarray(found, np.int32)
    else:
        labels = labelled(mask, connectivity or 26).astype(np.int32)
    return _in_order(labels, minimum)


def _in_order(labels: NDArray[np.int32], minimum: int) -> NDArray[np.int32]:
    """Return labels numbered by their first pixel, without the small ones."""
    where = np.flatnonzero(labels > 0)  # in raster order, and far fewer than all pixels
    inside = labels.ravel()[where]
    if not inside.size:
        return labels
    values, first, counts = np.unique(inside, return_index=True, return_counts=True)
    kept = counts >= minimum
    order = values[kept][np.argsort(first[kept], kind="stable")]
    numbers = np.zeros(int(values.max()) + 1, np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    result = np.zeros(labels.shape, np.int32)
    result.ravel()[where] = numbers[inside]
    return result


def _parted(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return labels of a flat mask: each pixel goes to the nearest core of its component."""
    image = np.pad(np.ascontiguousarray(mask).view(np.uint8), 1)
    count, found = cv2.connectedComponents(image, connectivity=8)
    component = np.asarray(found, np.int32)
    distance = cv2.distanceTransform(image, cv2.DIST_L2, 5)
    peak = np.zeros(count, np.float32)
    np.maximum.at(peak, component.ravel(), np.asarray(distance, np.float32).ravel())
    core = (distance >= _CORE * peak[component]) & (image > 0)
    if not core.any():
        return np.zeros(mask.shape, np.int32)
    away = (~core).view(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        away, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP
    )
    labels = np.where(image > 0, nearest, 0).astype(np.int32)
    home = np.zeros(int(labels.max()) + 1, np.int32)
    home[labels[core]] = component[core]
    labels[home[labels] != component] = 0  # the nearest core lies in another component
    return _grown(labels, image > 0)[1:-1, 1:-1]


def _grown(labels: NDArray[np.int32], inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give pixels without a label that of a neighbour, until every pixel inside has one."""
    values = labels.astype(np.float64)  # cv2.dilate takes no int32; these are exact
    kernel = np.ones((3, 3), np.uint8)
    empty = inside & (labels == 0)
    while empty.any():
        values[empty] = np.asarray(cv2.dilate(values, kernel))[empty]
        empty &= values == 0
    return np.asarray(values, np.int32)
