"""Counts of pixels, the one tally of all metrics of overlap.

A tally is (K + 1, 3) float64: true positives, predicted and true pixels of each class, and in
the last row those of the union of all classes (the foreground). Metrics that agree on
``ignore_first`` can score the same tallies.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.errors import RecipeError
from lamina.model.metrics.base import Metric, Score

_FILL = {"one": 1.0, "zero": 0.0, "skip": np.nan}
_UNITS = {
    "image": "per image, any class",
    "image_class": "per image and class",
    "pooled": "per class, all images pooled",
    "foreground": "any class, all images pooled",
}


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
    if mask.shape != target.shape or (valid is not None and valid.shape != mask.shape[1:]):
        shape = None if valid is None else valid.shape
        raise ValueError(f"mask is {mask.shape}, target {target.shape}, valid {shape}")
    first = int(ignore_first)
    if len(mask) <= first:
        raise RecipeError("ignore_first leaves no class to score; the task has only one output")
    answer, truth = mask.astype(bool, copy=False), target.astype(bool, copy=False)
    rows = [_row(a, t, valid) for a, t in zip(answer, truth, strict=True)]
    if len(rows) - first == 1:  # the union of one class is that class
        rows.append(rows[-1])
    else:
        union = np.logical_or.reduce
        rows.append(_row(union(answer[first:]), union(truth[first:]), valid))
    return np.array(rows, dtype=np.float64)


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


class CountMetric(Metric):
    """A ratio of counted pixels, with its scope and its rule for nothing against nothing.

    ``value`` is the mean over all units that have a value; where none has one, it is 0.
    """

    label: ClassVar[str]
    """Name in tables."""

    undefined: ClassVar[str] = "empty against empty"
    """When the ratio is 0/0, in words."""

    over: Literal["image", "image_class", "pooled", "foreground"] = "image_class"
    """What one ratio is taken over: an image with any class; an image and class; a class with
    all pixels of all images pooled; any class with all images pooled."""

    empty: Literal["one", "zero", "skip"] = "one"
    """Value where the ratio is 0/0; skip leaves the unit out of the mean."""

    ignore_first: bool = False
    """Leave out class 0, the background where classes exclude each other."""

    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (...) ratios of (..., 3) counts; NaN where a ratio is 0/0."""
        raise NotImplementedError

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return ``counts`` of the case, (K + 1, 3)."""
        return counts(answer, target, valid, ignore_first=self.ignore_first)

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the value over ``over``; classes are scored in the same scope, one by one.

        For ``image`` and ``image_class`` the value of a class is the mean over images, else it
        is that of its pooled pixels. Ignored classes are None.
        """
        rows = list(tallies)
        if not rows:
            raise ValueError("a score needs at least one tally")
        tally = np.stack(rows)  # (images, K + 1, 3)
        if self.over in ("pooled", "foreground"):
            tally = tally.sum(axis=0, keepdims=True)
        ratio = self.ratio(tally)
        ratio[np.isnan(ratio)] = _FILL[self.empty]
        first = int(self.ignore_first)
        one = self.over in ("image", "foreground")
        units = ratio[:, -1:] if one else ratio[:, first:-1]
        classes = [None if k < first else _mean(ratio[:, k]) for k in range(ratio.shape[1] - 1)]
        return Score(value=_mean(units) or 0.0, classes=tuple(classes))

    @property
    def title(self) -> str:
        """Name, scope and rule, such as ``Dice per image and class; empty against empty = 1``."""
        rule = "left out" if self.empty == "skip" else f"= {_FILL[self.empty]:.0f}"
        without = ", without class 0" if self.ignore_first else ""
        return f"{self.label} {_UNITS[self.over]}{without}; {self.undefined} {rule}"


def _mean(values: NDArray[np.float64]) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else None


def divide(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``above / below``, NaN where ``below`` is 0."""
    ratio: NDArray[np.float64] = np.full(above.shape, np.nan)
    return np.divide(above, below, out=ratio, where=below != 0)
