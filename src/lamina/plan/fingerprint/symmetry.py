"""Whether images are laid out alike, and whether that layout survives a mirror."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lamina.doctor.case_statistics import CaseStatistics

_LEAST = 4  # images that a layout is taken from
_SIDE = 32


def symmetry_of(looks: Sequence[CaseStatistics]) -> tuple[float, tuple[float, float]]:
    """Return how alike images are laid out, and their mean layout its two mirror images.

    Chest X-rays are alike (0.8) and not the same upside down; tiles of steel are not alike (0.1).

    Args:
        looks: Statistics with thumbnails of 32 x 32.

    Returns:
        Mean correlation of a thumbnail with the mean of all others, and correlation of the mean
        thumbnail with itself turned upside down and left to right; 0, 1 and 1 where fewer than 4
        images say something.
    """
    found = [_standard(one.thumbnail) for one in looks if _says(one.thumbnail)]
    if len(found) < _LEAST:
        return 0.0, (1.0, 1.0)
    stack = np.stack(found)
    total = stack.sum(0)
    each = [_correlation(one, total - one) for one in stack]
    mean = total / len(stack)
    up, left = _correlation(mean, mean[::-1]), _correlation(mean, mean[:, ::-1])
    return round(float(np.mean(each)), 3), (round(up, 3), round(left, 3))


def _says(thumbnail: NDArray[np.float32] | None) -> bool:
    if thumbnail is None or thumbnail.shape != (_SIDE, _SIDE):
        return False
    return bool(np.isfinite(thumbnail).all()) and float(thumbnail.std()) > 0


def _standard(thumbnail: NDArray[np.float32] | None) -> NDArray[np.float64]:
    assert thumbnail is not None
    values = thumbnail.astype(np.float64)
    return np.asarray((values - values.mean()) / values.std())


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    a, b = one - one.mean(), other - other.mean()
    length = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / length) if length else 0.0
