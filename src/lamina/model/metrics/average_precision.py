"""Average precision of probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.errors import RecipeError
from lamina.model.metrics.base import ClassMetric, Score
from lamina.task import Aim

LEVELS = 1024
"""Probabilities of pixels are rounded to as many levels, so that a tally stays small."""

_END = 7.625  # log odds of the outermost levels: probabilities of 0.0005 and 0.9995
_CHUNK = 1 << 20  # pixels counted at a time, so that a volume needs no float64 copy of itself


class AveragePrecision(ClassMetric):
    """Sum over thresholds of the rise in recall times the precision, as scikit-learn defines it.

    The area under the precision-recall curve without interpolation; equal to
    ``sklearn.metrics.average_precision_score``. A class that is nowhere true has none and is left
    out of the mean. A prediction without information scores the share of true pixels or images.
    """

    kind: Literal["average_precision"] = "average_precision"
    soft: ClassVar[bool] = True
    values: ClassVar[bool] = False

    over: Literal["pixels", "images"] = "pixels"
    """pixels: all pixels of all images by their probability, rounded to 1,024 levels that are
    evenly spaced in log odds, which moves the value by about 0.001; images: all images by their
    highest probability, true where the class is in them. A volume is one image."""

    ignore_first: bool | None = None
    """Leave out class 0; null: where classes exclude each other, whose first is the background."""

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return (K, 2, 1024) true and all pixels of each level, or (K, 2) of the image.

        Those of an image are the highest probability, -1 without a valid pixel, and whether the
        class is there.

        Args:
            answer: (K, *S) probabilities.
            target: (K, *S) bool masks, one-hot where classes exclude each other.
            valid: (*S) True where a pixel counts; None: all count.

        Raises:
            ValueError: shapes differ.
            RecipeError: ``ignore_first`` leaves no class.
        """
        if answer.shape != target.shape or (valid is not None and valid.shape != answer.shape[1:]):
            shape = None if valid is None else valid.shape
            raise ValueError(f"answer is {answer.shape}, target {target.shape}, valid {shape}")
        if len(answer) <= self.first:
            raise RecipeError("ignore_first leaves no class to score; the task has only one output")
        pick = slice(None) if valid is None else valid.ravel()
        row = _levels if self.over == "pixels" else _highest
        return np.array(
            [row(p.ravel()[pick], t.ravel()[pick]) for p, t in zip(answer, target, strict=True)],
            np.float64,
        )

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the mean over classes that are somewhere true, and the value of each.

        Raises:
            ValueError: there are no tallies.
        """
        rows = list(tallies)
        if not rows:
            raise ValueError("a score needs at least one tally")
        pixels = self.over == "pixels"
        each = np.sum(rows, axis=0) if pixels else np.stack(rows, axis=1)
        of = _of_levels if pixels else _of_images
        values = [None if k < self.first else of(counts) for k, counts in enumerate(each)]
        there = [value for value in values if value is not None]
        return Score(float(np.mean(there)) if there else 0.0, tuple(values))

    def aim(self, outputs: int) -> Aim:
        """Refuse: probabilities are ranked as they are.

        Raises:
            RecipeError: always.
        """
        raise RecipeError(
            "the recipe's metric is average precision, which ranks probabilities over all "
            "thresholds, and no decision changes it; run the same `lamina train` with "
            "-s 'metric={kind: dice}' --accept-changes first"
        )

    @property
    def title(self) -> str:
        """Name, scope and rule."""
        without = ", without class 0" if self.ignore_first else ""
        return (
            f"average precision per class, over all {self.over}{without}; absent classes left out"
        )


def _levels(prob: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return (2, 1024): true and all pixels of each level, from the lowest."""
    counts = np.zeros((2, LEVELS))
    for at in range(0, prob.size, _CHUNK):
        level = _level_of(prob[at : at + _CHUNK])
        true = truth[at : at + _CHUNK].astype(bool, copy=False)
        counts[0] += np.bincount(level[true], minlength=LEVELS)
        counts[1] += np.bincount(level, minlength=LEVELS)
    return counts


def _level_of(prob: NDArray[Any]) -> NDArray[np.int64]:
    p = prob.astype(np.float64)
    with np.errstate(divide="ignore"):
        odds = np.log(p) - np.log1p(-p)
    share = (np.clip(odds, -_END, _END) + _END) / (2 * _END)
    return np.asarray(np.rint(share * (LEVELS - 1)), np.int64)


def _highest(prob: NDArray[Any], truth: NDArray[Any]) -> NDArray[np.float64]:
    """Return (2,): the highest probability, and 1 where any pixel is true."""
    return np.array([float(prob.max()) if prob.size else -1.0, float(truth.any())])


def _of_levels(counts: NDArray[np.float64]) -> float | None:
    """Return average precision of (2, n) true and all things, by rising score; None: no true."""
    true, count = counts[0, ::-1].cumsum(), counts[1, ::-1].cumsum()
    if not true[-1]:
        return None
    precision = np.divide(true, count, out=np.zeros(true.shape), where=count > 0)
    return float((np.diff(true, prepend=0.0) * precision).sum() / true[-1])


def _of_images(images: NDArray[np.float64]) -> float | None:
    """Return average precision of (n, 2) scores and whether they are true."""
    _, rank = np.unique(images[:, 0], return_inverse=True)
    rank = rank.reshape(-1)
    counts = [np.bincount(rank, weights=images[:, 1]), np.bincount(rank)]
    return _of_levels(np.asarray(counts, np.float64))
