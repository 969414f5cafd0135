"""What every loss promises."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from lamina.model.losses.pixels import Pixels, counted
from lamina.spec import Spec

if TYPE_CHECKING:
    from torch import Tensor


AUTO_UNKNOWN = (
    "loss {kind}: class_weights is auto, and no training cases were counted; write a weight for "
    "each class"
)


class Loss(Spec):
    """How far an answer is from its target: one number that can be differentiated."""

    weight: float = Field(default=1.0, gt=0)
    """Weight of this term in the sum of all terms."""

    outside: Literal["ignore", "count"] = "ignore"  # INK-18
    """Pixels outside the valid area, such as beyond the mask of a fragment: ignored, or counted
    with a target of 0."""

    def __call__(
        self, logits: Tensor, target: Tensor, valid: Tensor | None = None, *, exclusive: bool
    ) -> Tensor:
        """Return the loss without ``weight``, a float32 scalar.

        Args:
            logits: (B, K, *S) with two or three sides S, any floating type; computed in float32.
            target: (B, K, *S), 0/1 per output (one-hot where exclusive) or values.
            valid: (B, 1, *S), 1 where a pixel counts; None: all count, as they do for a loss
                that counts what is outside.
            exclusive: Whether outputs exclude each other (softmax) or not (sigmoid each).
        """
        valid = None if self.outside == "count" else valid
        return self.judge(counted(logits, target, valid), exclusive=exclusive)

    @property
    def of_images(self) -> bool:
        """Whether the loss is of images alone, and not of volumes."""
        return False

    @property
    def can_be_split(self) -> bool:
        """Whether the loss of a batch follows from sums over its parts."""
        return True

    @property
    def adds_up(self) -> bool:
        """Whether the loss of several batches is the sum of theirs, in place of the mean."""
        return False

    @property
    def needs_class_pixels(self) -> bool:
        """Whether weights of classes follow from the training cases, and are not known yet."""
        return False

    def with_class_pixels(self, pixels: Sequence[float], whole: float) -> Self:
        """Return the loss with its weights of classes, where they follow from the training cases.

        Args:
            pixels: Of each class, in the task's order.
            whole: All pixels that count.
        """
        del pixels, whole
        return self

    @abstractmethod
    def judge(self, pixels: Pixels, *, exclusive: bool) -> Tensor:
        """Return the loss of what counts, without ``weight``; the parts of a loss share it."""
