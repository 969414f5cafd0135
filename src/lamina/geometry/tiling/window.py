"""Weights that fade overlapping tiles into one another.

Windows are separable: the weight of a pixel is the product of one weight per axis. So is the
sum of the weights of all tiles over a pixel, hence dividing each axis by its own sum makes the
weights of all tiles sum to 1 beforehand, and blending is adding.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.tiling.grid import TileGrid

Window = Literal["constant", "linear", "spline", "gaussian", "hann"]
"""How the weight falls from the middle of a tile to its rim; ``constant`` does not fall."""


def window(kind: Window, size: int) -> NDArray[np.float64]:
    """Return the weights of one axis of a tile.

    ======== ===========================================================================
    constant 1
    linear   a triangle, the lowest weight half a step above 0
    spline   squared splines, see ``spline``
    gaussian a bell with a standard deviation of an eighth of the size, as MONAI's default
    hann     a raised cosine, sampled in the middle of each pixel so that it is nowhere 0
    ======== ===========================================================================

    Args:
        kind: The form.
        size: Length of the tile along the axis, in pixels; at least 1, for splines 4.

    Returns:
        Weights, shape ``(size,)``: positive, symmetric, with a mean of 1.

    Raises:
        ValueError: ``size`` is too small.
    """
    if size < 1:
        raise ValueError(f"a window needs at least 1 pixel, not {size}")
    if kind == "spline":
        return spline(size)
    weights = _form(kind, size)
    weights /= weights.mean()
    return weights


def spline(size: int) -> NDArray[np.float64]:
    """Return the squared-spline blending window of one axis.

    With ``t`` the triangle that rises from 0 to 1 and falls again, the outer quarters are
    ``(2t)^2 / 2`` and the middle half is ``1 - (2(t - 1))^2 / 2``; the whole is divided by its
    mean.

    Args:
        size: Length of the tile along the axis, in pixels; at least 4.

    Returns:
        Weights, shape ``(size,)``: positive, symmetric, with a mean of 1.

    Raises:
        ValueError: ``size`` is below 4, where the quarters would be empty.

    Source:
        INK-23: the window of the published "smoothly blend image patches" code.

    Example:
        >>> spline(8).round(3).tolist()
        [0.062, 0.562, 1.438, 1.938, 1.938, 1.438, 0.562, 0.062]
    """
    if size < 4:
        raise ValueError(f"a spline window needs at least 4 pixels, not {size}")
    t = _triangle(size)
    quarter = size // 4
    weights: NDArray[np.float64] = 1 - (2 * (t - 1)) ** 2 / 2
    rim = (2 * t) ** 2 / 2
    weights[:quarter], weights[size - quarter :] = rim[:quarter], rim[size - quarter :]
    weights /= weights.mean()
    return weights


def normalised(kind: Window, grid: TileGrid) -> list[NDArray[np.float32]]:
    """Return per axis the weights of each tile, divided by their sum over all tiles.

    The weight of a pixel of a tile is the product over the axes; over all tiles of ``grid`` the
    weights of every pixel sum to 1 (to 1e-6, in float32).

    Returns:
        One array per axis, ``(tiles along the axis, extent of the tile)``; row i belongs to
        ``grid.starts[axis][i]``. Where a tile overhangs a short volume its weights are 1.
    """
    return [
        _normalised(window(kind, tile), starts)
        for tile, starts in zip(grid.tile, grid.starts, strict=True)
    ]


def _normalised(weights: NDArray[np.float64], starts: tuple[int, ...]) -> NDArray[np.float32]:
    tile = len(weights)
    first = starts[0]
    total = np.zeros(starts[-1] - first + tile)
    for start in starts:
        total[start - first : start - first + tile] += weights
    sums = [total[start - first : start - first + tile] for start in starts]
    return np.stack([weights / each for each in sums]).astype(np.float32)


def _triangle(size: int) -> NDArray[np.float64]:
    t: NDArray[np.float64] = 1 - np.abs(2 * np.arange(size) + 1 - size) / (size + size % 2)
    return t


def _form(
    kind: Literal["constant", "linear", "gaussian", "hann"], size: int
) -> NDArray[np.float64]:
    middle = np.arange(size) - (size - 1) / 2
    form: NDArray[np.float64]
    match kind:
        case "constant":
            form = np.ones(size)
        case "linear":
            form = _triangle(size)
        case "gaussian":
            form = np.exp(-((8 * middle / size) ** 2) / 2)
        case "hann":
            form = np.cos(np.pi * middle / size) ** 2
    return form
