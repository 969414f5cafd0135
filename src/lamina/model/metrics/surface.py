"""What metrics of surfaces share: which masks are compared, and in which units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.errors import RecipeError
from lamina.model.metrics.counts import check_masks

WHY = "the search counts pixels one by one and measures no distances"
"""Why ``tune`` searches for Dice in place of a metric of surfaces."""

Masks = NDArray[np.bool_]

Spacing = tuple[Annotated[float, Field(gt=0)], ...]
"""Distance of neighbouring pixels along each axis."""


def compared(
    answer: NDArray[Any],
    target: NDArray[Any],
    valid: Masks | None,
    *,
    first: int,
    spacing: tuple[float, ...] | None,
) -> Iterator[tuple[int, Masks, Masks]]:
    """Yield row, predicted and true mask of each class from ``first``, last those of any class.

    Args:
        answer: (K, *S) bool, what is predicted.
        target: (K, *S) bool, the truth.
        valid: (*S) True where a pixel counts; others are in neither mask. None: all count.
        first: Number of the first class that counts.
        spacing: Of the metric, to be one number for each axis.

    Raises:
        ValueError: shapes differ.
        RecipeError: no class is left, or ``spacing`` has another number of axes.
    """
    check_masks(answer, target, valid, ignore_first=bool(first))
    if spacing is not None and len(spacing) != answer.ndim - 1:
        raise RecipeError(
            f"the metric's spacing {list(spacing)} is of {len(spacing)} axes, the masks have "
            f"{answer.ndim - 1}; give a number for each"
        )
    mine, true = answer.astype(bool, copy=False), target.astype(bool, copy=False)
    if valid is not None:
        mine, true = mine & valid, true & valid
    for k in range(first, len(mine)):
        yield k, mine[k], true[k]
    union = np.logical_or.reduce
    yield len(mine), union(mine[first:]), union(true[first:])
