"""A mask without contours that enclose too little, as the published code drew them.

A contour is a polygon through the outermost pixels' centres, so that a part of one pixel, or of
one row, encloses nothing. Holes have contours of their own: what is dropped there is filled.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def drop_contours(mask: NDArray[np.bool_], limit: float) -> NDArray[np.bool_]:
    """Return the mask without parts and holes whose polygon area is at most ``limit`` (SIIM-30).

    All contours are found, those above the limit are filled together by the even-odd rule: a
    large hole stays a hole (its rim then belongs to the part, as it did), a small one is filled.

    Args:
        mask: (H, W) bool.
        limit: Area in pixels, at least 0. At 0 parts that are one pixel wide go.

    Returns:
        A new mask of the same shape.

    Raises:
        ValueError: the mask is not bool or has other than two axes.
    """
    if mask.ndim != 2 or mask.dtype != np.bool_:
        raise ValueError(f"contours are of a bool mask (H, W), not {mask.dtype} {mask.shape}")
    image = np.ascontiguousarray(mask).view(np.uint8)
    contours, _ = cv2.findContours(image, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    large = [contour for contour in contours if cv2.contourArea(contour) > limit]
    drawn = np.zeros(mask.shape, np.uint8)
    if large:
        cv2.drawContours(drawn, large, -1, 1, thickness=cv2.FILLED)
    return drawn.view(np.bool_)
