"""Binary cross-entropy of each output on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import PositiveFloat

from lamina.errors import RecipeError
from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels, per_output, refuse_exclusive

if TYPE_CHECKING:
    from torch import Tensor


class Bce(Loss):  # SIIM-14, INK-18
    """-(w t log p + (1 - t) log(1 - p)), the mean over all outputs and pixels that count.

    Computed from logits in the stable form. For a 0/1 target the positive weight is a weight of
    elements, and ``pos_weight`` of torch.
    """

    kind: Literal["bce"] = "bce"

    positive_weight: PositiveFloat | tuple[PositiveFloat, ...] = 1.0
    """Weight w of pixels of the class: one number, or one per output."""

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        from torch.nn import functional

        refuse_exclusive(self.kind, "cross_entropy", exclusive=exclusive)
        weight = self._weight(pixels.logits)
        loss = functional.binary_cross_entropy_with_logits(
            pixels.logits, pixels.target, pos_weight=weight, reduction="none"
        )
        return pixels.mean(loss)

    def _weight(self, logits: Tensor) -> Tensor | None:
        if self.positive_weight == 1:
            return None
        if not isinstance(self.positive_weight, tuple):
            return logits.new_tensor(self.positive_weight)
        if len(self.positive_weight) != logits.shape[1]:
            raise RecipeError(
                f"loss bce: positive_weight lists {len(self.positive_weight)} weights, but the "
                f"task has {logits.shape[1]} outputs; write one for each, or a single number"
            )
        return per_output(self.positive_weight, logits)
