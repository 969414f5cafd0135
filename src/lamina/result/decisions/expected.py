"""Per image, the mask with the highest expected score under calibrated probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.errors import RecipeError
from lamina.result.decisions.base import CaseDecision, Decision
from lamina.result.decisions.threshold import Threshold
from lamina.result.expected.column import Column
from lamina.result.expected.cut import DICE, Weights
from lamina.result.expected.entries import Floats, Ints
from lamina.result.expected.fit import ClassExpected, decide, presence_and_expected
from lamina.result.search.histogram import CODES, VALUES, Areas
from lamina.task import Aim


class Expected(Decision):
    """Per image and class one threshold: that of the mask with the highest expected score.

    Where empty against empty scores 1, a class is left empty if that is worth more in
    expectation. Where classes exclude each other, a pixel goes to the class whose probability is
    highest relative to its threshold, and to the background where none is above its own.
    Probabilities count as float16, as they are stored.
    """

    kind: Literal["expected"] = "expected"

    false_positive: float | None = Field(default=None, ge=0)
    """Weight of pixels predicted and not true: Dice 0.5, IoU 1, F-beta 1 / (1 + beta^2); null: as
    the metric has it."""

    false_negative: float | None = Field(default=None, ge=0)
    """Weight of pixels true and not predicted: Dice 0.5, IoU 1, F-beta 1 minus that; null: as the
    metric has it."""

    empty: Literal["one", "zero", "skip"] | None = None
    """Value where neither mask nor truth has a pixel; zero and skip: no mask is emptied; null: as
    the metric has it."""

    exclusive: bool | None = None
    """Whether each pixel belongs to one class, the first being the background; null: as the task
    has it."""

    classes: tuple[ClassExpected, ...] = ()
    """What `lamina tune` fitted for each class; none: probabilities are taken as they are, and
    every image may show every class."""

    def with_thresholds(self, thresholds: tuple[float | None, ...]) -> Threshold:
        """Return fixed thresholds in place of those of each image.

        Raises:
            RecipeError: only some classes have one, or classes exclude each other.
        """
        values = tuple(value for value in thresholds if value is not None)
        if self.exclusive or len(values) < len(thresholds):
            raise RecipeError(
                "the decision expected finds a threshold for each image; give one number for all "
                "classes or one for each, of classes that may overlap"
            )
        return Threshold(threshold=values[0] if len(values) == 1 else values)

    def suited(self, aim: Aim, *, exclusive: bool) -> Expected:
        """Return the decision with what it leaves to metric and task filled in."""
        says = {
            "false_positive": aim.false_positive,
            "false_negative": aim.false_negative,
            "empty": aim.empty,
            "exclusive": exclusive,
        }
        return self.model_copy(
            update={name: value for name, value in says.items() if getattr(self, name) is None}
        )

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (K, *S) bool masks of one whole case.

        Raises:
            RecipeError: ``classes`` has another length than the case has classes.
        """
        return self.for_case([prob])(prob)

    def for_case(self, parts: Iterable[NDArray[Any]]) -> CaseDecision:
        """Return the decision of one case whose probabilities come in parts.

        Args:
            parts: (K, *S) each, any floating type; all pixels of the case, each once.

        Returns:
            What decides its parts, pixel by pixel.
        """
        columns = self._columns(parts)
        codes = [int(code[0]) for code in self._codes(columns)]
        return _Cut(tuple(codes), exclusive=bool(self.exclusive))

    def outlook(self, parts: Iterable[NDArray[Any]]) -> list[tuple[float, float]]:
        """Return per class the probability of presence and the expected score of its mask.

        The mask is the best in expectation; where empty against empty scores 1 it may be empty.

        Args:
            parts: As for ``for_case``.
        """
        columns = self._columns(parts)
        found = []
        for column, fitted in zip(columns, self._fitted(len(columns)), strict=True):
            chance, hope = presence_and_expected(column, fitted, self._weights)
            value = float(chance[0] * hope[0])
            if (self.empty or "one") == "one":
                value = max(value, 1 - float(chance[0]))
            found.append((float(chance[0]), value))
        return found

    @property
    def summary(self) -> str:
        """Return the decision in words."""
        fitted = f"{len(self.classes)} classes fitted" if self.classes else "not tuned"
        return f"expected: the highest expected score by image; {fitted}"

    @property
    def streams(self) -> bool:
        """Parts are decided after a first pass that counts probabilities."""
        return True

    @property
    def _weights(self) -> Weights:
        if self.false_positive is None or self.false_negative is None:
            return DICE
        return Weights(self.false_positive, self.false_negative)

    def _fitted(self, classes: int) -> tuple[ClassExpected, ...]:
        if not self.classes:
            return (ClassExpected(),) * classes
        if len(self.classes) != classes:
            raise RecipeError(
                f"decide.classes lists {len(self.classes)} classes, and the case has {classes}; "
                "run `lamina tune` again"
            )
        return self.classes

    def _codes(self, columns: list[Column]) -> list[Ints]:
        fitted = self._fitted(len(columns))
        return [
            decide(column, one, self._weights, self.empty or "one")
            for column, one in zip(columns, fitted, strict=True)
        ]

    def _columns(self, parts: Iterable[NDArray[Any]]) -> list[Column]:
        areas: list[Areas] = []
        for prob in parts:
            areas = areas or [Areas() for _ in prob]
            for area, one in zip(areas, prob, strict=True):
                area.add(one)
        return [Column.of([area.counts()]) for area in areas]


class _Cut:
    """Decides pixels by thresholds that belong to one case."""

    def __init__(self, codes: tuple[int, ...], *, exclusive: bool) -> None:
        self._values: Floats = VALUES[np.asarray(codes, np.int64)]
        self._exclusive = exclusive
        if exclusive:  # p > 1 is never so, also of a ratio
            self._values = np.where(np.asarray(codes) == CODES - 1, np.inf, self._values)

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        masks = np.zeros(prob.shape, np.bool_)
        if not self._exclusive:
            for k, value in enumerate(self._values):
                np.greater(prob[k].astype(np.float16), np.float32(value), out=masks[k])
            return masks
        best = np.zeros(prob.shape[1:], np.int64)
        highest: NDArray[np.float32] = np.ones(prob.shape[1:], np.float32)
        for k in range(1, len(prob)):
            above = prob[k].astype(np.float16).astype(np.float32)
            ratio = above / np.float32(max(self._values[k], 2.0**-24))
            better = (ratio > highest) & (above > self._values[k])
            best[better], highest[better] = k, ratio[better]
        np.put_along_axis(masks, best[None], values=True, axis=0)
        return masks
