"""Cross-entropy of classes that exclude each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, PositiveFloat

from lamina.errors import RecipeError
from lamina.model.losses.base import AUTO_UNKNOWN, Loss
from lamina.model.losses.pixels import Pixels, per_output

if TYPE_CHECKING:
    from torch import Tensor


class CrossEntropy(Loss):
    """-sum over classes of w t log p, over the summed weight of the true classes.

    Agrees with ``torch.nn.functional.cross_entropy`` on class ids, weights and smoothing
    included.
    """

    kind: Literal["cross_entropy"] = "cross_entropy"

    class_weights: tuple[PositiveFloat, ...] | Literal["auto"] | None = None
    """Weight w of each class, in the task's order; null: all the same. auto: N / (C n), n pixels of
    the class of all N in the training cases and C classes that occur there, so that the mean weight
    of a pixel is 1; a class that does not occur has 1."""

    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share s of the target that is spread over all K classes: (1 - s) t + s / K."""

    @property
    def needs_class_pixels(self) -> bool:
        """Whether ``class_weights`` are to be counted."""
        return self.class_weights == "auto"

    def with_class_pixels(self, pixels: Sequence[float], whole: float) -> Self:
        """Return the loss with ``class_weights`` for these pixels, where they are auto."""
        if self.class_weights != "auto":
            return self
        occurring = sum(count > 0 for count in pixels)
        weights = tuple(float(whole / (occurring * n)) if n > 0 else 1.0 for n in pixels)
        return self.model_copy(update={"class_weights": weights})

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        if not exclusive:
            raise RecipeError(
                "loss cross_entropy needs classes that exclude each other (task.kind: "
                "multiclass); use bce where outputs are independent"
            )
        outputs = pixels.logits.shape[1]
        if self.class_weights == "auto":
            raise RecipeError(AUTO_UNKNOWN.format(kind=self.kind))
        weights = self.class_weights or (1.0,) * outputs
        if len(weights) != outputs:
            raise RecipeError(
                f"loss cross_entropy: class_weights lists {len(weights)} weights, but the task "
                f"has {outputs} classes; write one for each"
            )
        weight = per_output(weights, pixels.logits)
        truth = (1 - self.smoothing) * pixels.target + self.smoothing / outputs
        loss = -(weight * truth * pixels.logits.log_softmax(1)) * pixels.valid
        total = pixels.summed((weight * pixels.target).sum())
        return pixels.summed(loss.sum()) / total.clamp(min=min(weights))
