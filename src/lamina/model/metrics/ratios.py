"""What metrics that are ratios share: scope, the rule for nothing against nothing, their means."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.model.metrics.base import ClassMetric, Score
from lamina.task import Aim

_FILL = {"one": 1.0, "zero": 0.0, "skip": np.nan}
_UNITS = {
    "image": "per image, any class",
    "image_class": "per image and class",
    "pooled": "per class, all images pooled",
    "foreground": "any class, all images pooled",
}
_SEARCHED = {
    "image_class": "case",
    "image": "case_foreground",
    "pooled": "class",
    "foreground": "foreground",
}


class RatioMetric(ClassMetric):
    """A ratio of counted pixels, with its scope and its rule for nothing against nothing.

    A tally is (K + 1, N) float64: N counts of each class, and in the last row those of the union
    of all classes (the foreground).

    ``value`` is the mean over all units that have a value; where none has one, it is 0.
    """

    label: ClassVar[str]
    """Name in tables."""

    undefined: ClassVar[str] = "empty against empty"
    """When the ratio is 0/0, in words."""

    adds_up: ClassVar[bool] = True
    values: ClassVar[bool] = False

    over: Literal["image", "image_class", "pooled", "foreground"] = "image_class"
    """What one ratio is taken over: an image with all classes merged; an image and class; a
    class, all images pooled; all classes merged, all images pooled. A volume is one image."""

    empty: Literal["one", "zero", "skip"] = "one"
    """Value where the ratio is 0/0; skip leaves the unit out of the mean."""

    ignore_first: bool | None = None
    """Leave out class 0; null: where classes exclude each other, whose first is the background."""

    def searched(
        self,
        outputs: int,
        false_positive: float = 0.5,
        false_negative: float = 0.5,
        *,
        instead: str | None = None,
    ) -> Aim:
        """Return an aim with the metric's scope and its rule for nothing against nothing.

        Args:
            outputs: As for ``aim``.
            false_positive: Weight of pixels predicted and not true.
            false_negative: Weight of pixels true and not predicted.
            instead: Why the aim is not the metric itself.
        """
        over = _SEARCHED[self.over]
        if outputs == 1:
            over = {"case_foreground": "case", "foreground": "class"}.get(over, over)
        return Aim.model_validate(
            {
                "over": over,
                "false_positive": false_positive,
                "false_negative": false_negative,
                "empty": self.empty,
                "instead": instead,
            }
        )

    @abstractmethod
    def ratio(self, tally: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (...) ratios of (..., N) counts; NaN where a ratio is 0/0."""

    def score(self, tallies: Iterable[NDArray[np.float64]]) -> Score:
        """Return the value over ``over``; classes are scored in the same scope, one by one.

        For ``image`` and ``image_class`` the value of a class is the mean over images, else it
        is that of its pooled pixels. Ignored classes are None.
        """
        rows = list(tallies)
        if not rows:
            raise ValueError("a score needs at least one tally")
        tally = np.stack(rows)  # (images, K + 1, N)
        if self.over in ("pooled", "foreground"):
            tally = tally.sum(axis=0, keepdims=True)
        ratio = self.ratio(tally)
        ratio[np.isnan(ratio)] = _FILL[self.empty]
        first = self.first
        any_class = self.over in ("image", "foreground")
        units = ratio[:, -1:] if any_class else ratio[:, first:-1]
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
