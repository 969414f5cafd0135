"""Losses of overlap, with the choices on which published versions differ as fields."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from lamina.errors import RecipeError
from lamina.model.losses.base import AUTO_UNKNOWN, Loss
from lamina.model.losses.pixels import Pixels

if TYPE_CHECKING:
    from torch import Tensor

_BEFORE = {"all": (0, 1), "batch": (0,), "image": (1,), "image_class": ()}
"""Axes that are summed over before those of space: batch 0, outputs 1."""


class Overlap(Loss):
    """1 - a ratio of overlap between probabilities P and truth T, the mean over its units."""

    over: Literal["all", "batch", "image", "image_class"] = "batch"  # STEEL-11, SIIM-14
    """What one ratio is taken over: batch, classes and pixels at once; the batch, one
    ratio per class; an image with all its classes; an image and class."""

    smooth: float = Field(default=1e-6, ge=0)
    """Added above and below, in pixels; with it, empty against empty scores a loss of 0."""

    smooth_below: float = Field(default=0.0, ge=0)
    """Added below only, in pixels; alone (``smooth: 0``), empty against empty scores 1."""

    absent: Literal["count", "zero", "skip"] = "count"  # FAULT-8
    """A unit without true pixels counts as it is; has a loss of 0 in the mean; or is
    left out of the mean."""

    class_weights: tuple[PositiveFloat, ...] | Literal["auto"] | None = None  # SIIM-14
    """Weights of the classes' losses in their sum, such as 1, 0.5, 0.5; for ``over``
    batch or image_class. null: their mean. auto: by the inverse of the pixels of each class in the
    training cases, summing to 1; a class that does not occur there has the mean."""

    log: bool = False
    """Take -log(ratio) in place of 1 - ratio."""

    @model_validator(mode="after")
    def _something_is_added_below(self) -> Self:
        if self.smooth == 0 and self.smooth_below == 0:
            raise ValueError("smooth and smooth_below are both 0: empty against empty is 0/0")
        return self

    @model_validator(mode="after")
    def _classes_that_are_weighted_stand_apart(self) -> Self:
        if self.class_weights is None:
            return self
        if self.over not in ("batch", "image_class") or self.absent == "skip":
            raise ValueError(
                "class_weights needs one ratio per class, none left out: over batch or "
                "image_class, absent count or zero"
            )
        return self

    @property
    def needs_class_pixels(self) -> bool:
        """Whether ``class_weights`` are to be counted."""
        return self.class_weights == "auto"

    def with_class_pixels(self, pixels: Sequence[float], whole: float) -> Self:
        """Return the loss with ``class_weights`` for these pixels, where they are auto."""
        del whole
        if self.class_weights != "auto":
            return self
        inverse = [1 / n for n in pixels if n > 0] or [1.0]
        mean = sum(inverse) / len(inverse)
        each = [1 / n if n > 0 else mean for n in pixels]
        return self.model_copy(update={"class_weights": tuple(one / sum(each) for one in each)})

    @abstractmethod
    def ratio(self, overlap: Tensor, answer: Tensor, truth: Tensor) -> Tensor:
        """Return the ratio of each unit from sum(PT), sum(P) and sum(T)."""

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        answer = pixels.probabilities(exclusive=exclusive)
        axes = (*_BEFORE[self.over], *range(2, answer.ndim))
        parts = (answer * pixels.target, answer, pixels.target)
        sums = [part.sum(axes) for part in parts]
        if self.over in ("all", "batch"):
            sums = [pixels.summed(each) for each in sums]
        overlap, whole, truth = sums
        ratio = self.ratio(overlap, whole, truth)
        loss = -ratio.clamp(min=1e-7).log() if self.log else 1 - ratio
        if self.class_weights is not None:
            loss = loss * self._factors(loss)
        by_image = self.over not in ("all", "batch")
        if self.absent == "count":
            return pixels.mean_of_units(loss) if by_image else loss.mean()
        present = (truth > 0).float()
        if self.absent == "zero":
            return pixels.mean_of_units(loss * present) if by_image else (loss * present).mean()
        units, whole = present.sum(), (loss * present).sum()
        if by_image:
            units, whole = pixels.summed(units), pixels.summed(whole)
        return whole / units.clamp(min=1)

    def _factors(self, loss: Tensor) -> Tensor:
        """Return (K,) factors with which the mean over classes becomes their weighted sum."""
        if self.class_weights == "auto":
            raise RecipeError(AUTO_UNKNOWN.format(kind=getattr(self, "kind", "overlap")))
        weights, outputs = self.class_weights or (), loss.shape[-1]
        if len(weights) != outputs:
            raise RecipeError(
                f"loss {getattr(self, 'kind', 'overlap')}: class_weights lists {len(weights)} "
                f"weights, but the task has {outputs} outputs; write one for each"
            )
        return loss.new_tensor(weights) * outputs
