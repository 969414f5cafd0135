"""Two thresholds and an area: a high one says whether there is anything, a low one says where."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from lamina.errors import RecipeError
from lamina.geometry.components.labelling import keep_seeded
from lamina.geometry.contours import drop_contours
from lamina.result.decisions.base import Decision, per_class
from lamina.spec import Spec

Probability = Annotated[float, Field(ge=0, le=1)]
Area = Annotated[int, Field(ge=0)]


class TripletSearch(Spec):
    """What `lamina tune` tries, and which result it takes."""

    choice: Literal["best", "flat"] = "flat"
    """best: the highest score. flat: of the triplets within 0.01 of it, the one whose neighbours
    (both thresholds within 0.05, half to double the area) score highest on average."""

    levels: Literal[64, 128, 256, 512] = 256
    """Thresholds tried are i / levels, for top and bottom alike."""

    top: tuple[Probability, ...] | None = Field(default=None, min_length=1)
    """Only these upper thresholds; null: all levels."""

    area: tuple[Area, ...] | None = Field(default=None, min_length=1)
    """Only these areas, in pixels; null: all."""

    bottom: tuple[Probability, ...] | None = Field(default=None, min_length=1)
    """Only these lower thresholds; null: all levels."""

    # SIIM-24
    pairs: tuple[tuple[Probability, Area], ...] | None = Field(default=None, min_length=1)
    """Only these pairs of upper threshold and area, in place of ``top`` and ``area``."""

    @model_validator(mode="after")
    def _pairs_stand_alone(self) -> Self:
        if self.pairs is not None and (self.top is not None or self.area is not None):
            raise ValueError("pairs lists top and area together; leave out top and area beside it")
        return self


class Triplet(Decision):  # SIIM-23
    """Empty unless enough pixels lie above ``top``; then the mask is what lies above ``bottom``.

    All comparisons are strict: a class is empty where count(p > top) < area, at the
    resolution of the map, and p > bottom elsewhere. One number serves all classes; a list has one
    number per class. ``bottom`` may lie above ``top``.
    """

    kind: Literal["triplet"] = "triplet"

    top: Probability | tuple[Probability, ...] = 0.75
    """Top threshold, for the minimum area; 1: always empty, unless ``area`` is 0."""

    area: Area | tuple[Area, ...] = 2000
    """Minimum area above ``top``, in pixels; 0: never empty for that reason."""

    bottom: Probability | tuple[Probability, ...] = 0.3
    """Bottom threshold: a pixel belongs to the class where its probability is above."""

    unit: Literal["image", "component"] = "image"
    """image: the area is counted over the whole case; component: in each connected component of
    p > bottom (8 neighbours; 26 in volumes), and a component with too few is removed."""

    contour: int = Field(default=0, ge=0)  # SIIM-30
    """Afterwards, components and holes whose outline encloses at most this many pixels are removed;
    0: off. `lamina tune` does not search it."""

    search: TripletSearch = TripletSearch()
    """What `lamina tune` tries."""

    @field_validator("top", "area", "bottom")
    @classmethod
    def _a_list_has_a_number(cls, value: Any) -> Any:
        if value == ():
            raise ValueError("give one number, or one for each class")
        return value

    def __call__(self, prob: NDArray[Any]) -> NDArray[np.bool_]:
        """Return (K, *S) bool masks of one whole case.

        Raises:
            RecipeError: a list has another length than the case has classes, or ``contour`` is
                set and the case is no image.
        """
        classes = len(prob)
        tops = per_class(self.top, classes, "top")
        areas = per_class(self.area, classes, "area")
        bottoms = per_class(self.bottom, classes, "bottom")
        if self.contour and prob.ndim != 3:
            raise RecipeError(
                f"decide.contour is {self.contour}, for images, and the case has the shape "
                f"{prob.shape[1:]}; set it to 0"
            )
        masks = np.empty(prob.shape, np.bool_)
        for k in range(classes):
            masks[k] = self._decide(prob[k], tops[k], areas[k], bottoms[k])
        return masks

    def _decide(
        self, prob: NDArray[Any], top: float, area: int, bottom: float
    ) -> NDArray[np.bool_]:
        # float32 thresholds, else numpy would round them to the type of the map
        sure = prob > np.float32(top)
        mask: NDArray[np.bool_] = np.asarray(prob > np.float32(bottom))
        if self.unit == "component":
            mask = keep_seeded(mask, sure, area)
        elif np.count_nonzero(sure) < area:
            return np.zeros(mask.shape, np.bool_)
        return drop_contours(mask, self.contour) if self.contour else mask
