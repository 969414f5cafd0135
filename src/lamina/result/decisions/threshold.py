"""A mask is where the probability is above a threshold; what is too small goes."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lamina.geometry.components.labelling import drop_small, part_sizes
from lamina.result.decisions.base import Decision, per_class
from lamina.result.search.histogram import code_of, stored_codes


class Threshold(Decision):  # STEEL-22
    """Above the threshold, without small components, and empty below a minimum area.

    The order is: p > threshold, then parts below ``min_component`` go, then
    classes that share pixels are told apart if ``overlap`` says so, then a class with fewer
    pixels than ``min_area`` in the whole case is emptied. One number serves all classes; a list
    has one number per class.
    """

    kind: Literal["threshold"] = "threshold"

    threshold: float | tuple[float, ...] = 0.5
    """A pixel belongs to the class where its probability is strictly above; 1 is always empty."""

    min_area: int | tuple[int, ...] = 0
    """Minimum area: a class with fewer pixels in a whole case is set empty."""

    min_component: int | tuple[int, ...] = 0
    """Connected components (8 neighbours; 26 in volumes) with fewer pixels are removed first.

    `lamina tune` searches this number too where it is above 0; 1 drops nothing and asks for it."""

    overlap: Literal["keep", "largest"] = "keep"  # STEEL-22
    """keep: classes may share pixels; largest: connected components of all classes are painted
    from small to large, each clearing the other classes under it."""

    foreground: float | None = Field(default=None, ge=0, le=1)
    """Global threshold for the foreground, apart from the masks: a pixel belongs to it where its
    highest probability is above. null: the union of the masks. `lamina tune` sets it."""

    foreground_area: int = Field(default=0, ge=0)
    """A case with fewer pixels above ``foreground`` has no foreground; set by `lamina tune`."""

    @field_validator("threshold")
    @classmethod
    def _thresholds_are_probabilities(
        cls, threshold: float | tuple[float, ...]
    ) -> float | tuple[float, ...]:
        values = threshold if isinstance(threshold, tuple) else (threshold,)
        if not values or not all(0 <= value <= 1 for value in values):
            raise ValueError(f"thresholds lie in 0..1, one or one per class: {threshold}")
        return threshold

    @field_validator("min_area", "min_component")
    @classmethod
    def _areas_are_counts(cls, area: int | tuple[int, ...]) -> int | tuple[int, ...]:
        values = area if isinstance(area, tuple) else (area,)
        if not values or not all(value >= 0 for value in values):
            raise ValueError(f"areas are pixels, at least 0, one or one per class: {area}")
        return area

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (K, *S) bool masks of one whole case.

        Raises:
            RecipeError: a list has another length than the case has classes.
        """
        classes = len(prob)
        thresholds = per_class(self.threshold, classes, "threshold")
        areas = per_class(self.min_area, classes, "min_area")
        components = per_class(self.min_component, classes, "min_component")
        masks, codes = np.empty(prob.shape, np.bool_), stored_codes(prob)
        for k in range(classes):
            # a float32 threshold, else numpy would round it to the type of the map
            threshold = np.float32(thresholds[k])
            if codes is None:
                np.greater(prob[k], threshold, out=masks[k])
            else:
                np.greater(codes[k], code_of(float(threshold)), out=masks[k])
            if components[k] > 1:
                masks[k] = drop_small(masks[k], components[k])
        if self.overlap == "largest":
            _paint(masks)
        for k in range(classes):
            if np.count_nonzero(masks[k]) < areas[k]:
                masks[k] = False
        return masks

    def with_thresholds(self, thresholds: tuple[float | None, ...]) -> Self:
        """Return the decision with other thresholds; areas stay as they are."""
        if len(thresholds) == 1 and thresholds[0] is not None:
            return self.model_copy(update={"threshold": thresholds[0]})
        own = per_class(self.threshold, len(thresholds), "threshold")
        pairs = zip(thresholds, own, strict=True)
        mixed = tuple(before if new is None else new for new, before in pairs)
        return self.model_copy(update={"threshold": mixed})

    @property
    def summary(self) -> str:
        """Return the decision in words."""
        if np.min(self.threshold) >= 1:
            return "threshold 1: nothing is predicted"
        return super().summary

    @property
    def pixelwise(self) -> bool:
        """Whether neither parts nor areas nor other classes matter."""
        areas, parts = np.max(self.min_area), np.max(self.min_component)
        return bool(areas <= 0 and parts <= 1 and self.overlap == "keep")


def _paint(masks: NDArray[np.bool_]) -> None:
    """Leave each pixel to the largest of the parts that hold it; of equals, to the last class."""
    shared = np.count_nonzero(masks, axis=0) > 1
    if not shared.any():
        return
    # what is painted last stays, and parts of one class do not touch: no need to paint in turn
    sizes = np.stack([part_sizes(mask)[shared] for mask in masks])
    last = len(masks) - 1 - sizes[::-1].argmax(axis=0)
    masks[:, shared] = last == np.arange(len(masks))[:, None]
