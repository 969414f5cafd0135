"""Counts of pixels, the one tally of all metrics of overlap.

A tally is (K + 1, 3) float64: true positives, predicted and true pixels of each class, and in
the last row those of the union of all classes (the foreground). Metrics that agree on
``ignore_first`` can score the same tallies.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import RecipeError
from lamina.model.metrics.ratios import RatioMetric


def counts(
    mask: NDArray[Any],
    target: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    *,
    ignore_first: bool = False,
) -> NDArray[np.float64]:
    """Return the tally of one case.

    Args:
        mask: (K, *S) bool, what is predicted.
        target: (K, *S) bool, the truth.
        valid: (*S) True where a pixel counts; None: all count.
        ignore_first: Leave class 0 out of the last row; rows of classes are as ever.

    Returns:
        (K + 1, 3) float64: a row per class and one for the union of all classes, each with true
        positives, predicted pixels, true pixels.

    Raises:
        ValueError: shapes differ.
        RecipeError: ``ignore_first`` leaves no class.

    Example:
        >>> counts(np.array([[True, True, False]]), np.array([[True, False, False]])).tolist()
        [[1.0, 2.0, 1.0], [1.0, 2.0, 1.0]]
    """
    check_masks(mask, target, valid, ignore_first=ignore_first)
    first = int(ignore_first)
    answer, truth = mask.astype(bool, copy=False), target.astype(bool, copy=False)
    rows = [_row(a, t, valid) for a, t in zip(answer, truth, strict=True)]
    if len(rows) - first == 1:  # the union of one class is that class
        rows.append(rows[-1])
    else:
        union = np.logical_or.reduce
        rows.append(_row(union(answer[first:]), union(truth[first:]), valid))
    return np.array(rows, dtype=np.float64)


def check_masks(
    mask: NDArray[Any],
    target: NDArray[Any],
    valid: NDArray[np.bool_] | None,
    *,
    ignore_first: bool,
) -> None:
    """Refuse what cannot be counted; arguments and errors are those of ``counts``."""
    if mask.shape != target.shape or (valid is not None and valid.shape != mask.shape[1:]):
        shape = None if valid is None else valid.shape
        raise ValueError(f"mask is {mask.shape}, target {target.shape}, valid {shape}")
    if len(mask) <= int(ignore_first):
        raise RecipeError("ignore_first leaves no class to score; the task has only one output")


def _row(
    answer: NDArray[np.bool_], truth: NDArray[np.bool_], valid: NDArray[np.bool_] | None
) -> tuple[int, int, int]:
    if valid is not None:
        answer, truth = answer & valid, truth & valid
    return (
        int(np.count_nonzero(answer & truth)),
        int(np.count_nonzero(answer)),
        int(np.count_nonzero(truth)),
    )


class CountMetric(RatioMetric):
    """A ratio of true positives, predicted and true pixels."""

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return ``counts`` of the case, (K + 1, 3)."""
        return counts(answer, target, valid, ignore_first=bool(self.ignore_first))


def divide(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``above / below``, NaN where ``below`` is 0."""
    ratio: NDArray[np.float64] = np.full(above.shape, np.nan)
    return np.divide(above, below, out=ratio, where=below != 0)
