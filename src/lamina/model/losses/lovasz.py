"""Lovász losses: the Jaccard loss itself, extended to answers that are not yet yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lamina.model.losses.base import Loss
from lamina.model.losses.pixels import Pixels, refuse_exclusive

if TYPE_CHECKING:
    from torch import Tensor


class Lovasz(Loss):  # SIIM-14
    """The Lovász extension of 1 - |P.T| / |P u T| at the errors of the pixels, the mean over units.

    Errors sorted from large to small, each times what its pixel adds to the Jaccard loss of all
    pixels before it (Berman et al. 2018). Published pipelines use ``errors: hinge,
    symmetric: true`` or ``errors: probability, over: batch``. Targets between 0 and 1 count as 1
    above one half.
    """

    kind: Literal["lovasz"] = "lovasz"

    errors: Literal["hinge", "probability"] = "hinge"
    """hinge: max(0, 1 - x) or max(0, 1 + x) of a logit x that should be high or low;
    probability: the distance of the probability from 0 or 1 (Lovász sigmoid, and softmax where
    classes exclude each other)."""

    over: Literal["batch", "image_class"] = "image_class"
    """One Jaccard loss per class over the whole batch, or one per image and class."""

    symmetric: bool = False  # SIIM-14
    """The mean of the loss and of that of everything inverted, the background's."""

    @property
    def can_be_split(self) -> bool:
        """Not over the batch, whose pixels are sorted together."""
        return self.over != "batch"

    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, a scalar."""
        import torch

        truth, counts = pixels.target > 0.5, (pixels.valid != 0).expand_as(pixels.target)
        if self.errors == "hinge":
            refuse_exclusive("lovasz with hinge", "errors: probability", exclusive=exclusive)
            errors = 1 - pixels.logits * (2 * truth.float() - 1)
        else:
            errors = (truth.float() - pixels.probabilities(exclusive=exclusive)).abs()
        # below every error that counts for anything, so last in the order, with no share in it
        errors = torch.where(counts, errors, -1.0)
        order, turn = self._units(errors).sort(dim=1, descending=True, stable=True)
        order = order.relu()
        front = self._units(truth & counts).gather(1, turn)
        loss = (order * jaccard_steps(front)).sum(1)
        if self.symmetric:
            back = self._units(~truth & counts).gather(1, turn)
            loss = (loss + (order * jaccard_steps(back)).sum(1)) / 2
        return loss.mean() if self.over == "batch" else pixels.mean_of_units(loss)

    def _units(self, x: Tensor) -> Tensor:
        """Return (U, N): the pixels of each unit."""
        return x.transpose(0, 1).flatten(1) if self.over == "batch" else x.flatten(0, 1).flatten(1)


def jaccard_steps(truth: Tensor) -> Tensor:
    """Return what each pixel adds to the Jaccard loss when pixels go wrong one after another.

    With the first n wrong, the loss is 1 - I / U: I = true pixels still right, U = true pixels
    and false ones among the n. A true pixel adds 1 / U; a false one, with U before it, adds
    I / (U (U + 1)). These forms, unlike differences of two losses near 1, keep their digits in
    float32 over millions of pixels.

    Args:
        truth: (U, N) bool, the pixels of each unit in the order in which they go wrong.

    Returns:
        (U, N) float32, each row at least 0 with a sum of 1. Without true pixels the first one
        takes all.
    """
    import torch

    right = truth.sum(1, keepdim=True) - truth.long().cumsum(1)
    union = truth.sum(1, keepdim=True) + (~truth).long().cumsum(1)
    before = (union - (~truth).long()).float()
    steps = torch.where(
        truth, 1 / union.float(), right.float() / (union.float() * before.clamp(min=1))
    )
    return torch.where(before == 0, 1.0, steps)
