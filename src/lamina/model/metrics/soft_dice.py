"""Dice of probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.errors import RecipeError
from lamina.model.metrics.base import Metric, Score
from lamina.spec import ADDED_LATER
from lamina.task import Aim

_ROWS = 1 << 22  # values multiplied at a time, so that a volume needs no float64 copy of itself


class SoftDice(Metric):  # FAULT-8, FAULT-10
    """2 sum(p t) / max(sum(p + t), 1e-7), the mean over classes.

    A class without true pixels scores 1 (its loss is 0). As the monitor of a plateau schedule it
    stands for the validation loss of the faults pipeline, which is the mean over batches; here it
    is over images or all pixels, so that it does not depend on how held-out slices fall into
    batches.
    """

    kind: Literal["soft_dice"] = "soft_dice"
    soft: ClassVar[bool] = True
    adds_up: ClassVar[bool] = True
    values: ClassVar[bool] = False

    over: Literal["image", "pooled"] = "pooled"
    """One value per image (or volume) and class, then the mean; or all images of a class pooled."""

    ignore_first: Annotated[bool, ADDED_LATER] = False
    """Leave out class 0; false counts it, as the loss does that the score stands for."""

    @property
    def first(self) -> int:
        """1 where ``ignore_first``, else 0."""
        return int(self.ignore_first)

    def tally(
        self,
        answer: NDArray[Any],
        target: NDArray[Any],
        valid: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float64]:
        """Return (K, 3): sum(p t), sum(p) and sum(t) of each class.

        Args:
            answer: (K, *S) probabilities.
            target: (K, *S) bool masks, one-hot where classes exclude each other.
            valid: (*S) True where a pixel counts; None: all count.

        Raises:
            ValueError: shapes differ.
        """
        if answer.shape != target.shape or (valid is not None and valid.shape != answer.shape[1:]):
            shape = None if valid is None else valid.shape
            raise ValueError(f"answer is {answer.shape}, target {target.shape}, valid {shape}")
        pick = slice(None) if valid is None else valid.ravel()
        rows = [
            _sums(p.ravel()[pick], t.ravel()[pick]) for p, t in zip(answer, target, strict=True)
        ]
        return np.array(rows, np.float64)

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the mean over units and classes, and each class's mean over units.

        Raises:
            ValueError: there are no tallies.
        """
        rows = list(tallies)
        if not rows:
            raise ValueError("a score needs at least one tally")
        tally = np.stack(rows)
        if self.over == "pooled":
            tally = tally.sum(axis=0, keepdims=True)
        below = np.maximum(tally[..., 1] + tally[..., 2], 1e-7)
        values = np.where(tally[..., 2] > 0, 2 * tally[..., 0] / below, 1.0)
        first = self.first
        classes = tuple(float(mean) for mean in values.mean(axis=0)[first:])
        return Score(float(values[:, first:].mean()), (None,) * first + classes)

    def aim(self, outputs: int) -> Aim:
        """Refuse: probabilities are judged as they are.

        Raises:
            RecipeError: always.
        """
        raise RecipeError(
            "the recipe's metric is soft Dice, which judges probabilities, and no decision changes "
            "them; run the same `lamina train` with -s 'metric={kind: dice}' --accept-changes first"
        )

    @property
    def title(self) -> str:
        """Name, scope and rule."""
        scope = "per image and class" if self.over == "image" else "per class, all images pooled"
        without = ", without class 0" if self.ignore_first else ""
        return f"soft Dice {scope}{without}; absent classes = 1"


def _sums(prob: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float, float]:
    both = mine = true = 0.0
    for at in range(0, prob.size, _ROWS):
        p, t = prob[at : at + _ROWS].astype(np.float64), truth[at : at + _ROWS].astype(np.float64)
        both, mine, true = both + float(p @ t), mine + float(p.sum()), true + float(t.sum())
    return both, mine, true
