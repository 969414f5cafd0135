"""The positive pixels of another sample."""

from __future__ import annotations

from typing import ClassVar, Literal

import cv2
import numpy as np
from pydantic import Field

from lamina.data.mixing.base import Mix, Samples
from lamina.data.transforms.base import planes_of


class CopyPaste(Mix):
    """What another sample shows of any class is put over this one, with its target (Ghiasi et al.
    2021), where it counts there.

    A sample without a positive pixel changes nothing.
    """

    only: ClassVar[Literal["masks", "values"] | None] = "masks"

    kind: Literal["copy_paste"] = "copy_paste"

    grow: int = Field(default=0, ge=0)
    """Pixels around positive ones that come along, in rows and columns, with their target."""

    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> None:
        """Return nothing: the other sample decides."""
        del size, rng

    def join(self, own: Samples, other: Samples, what: None, *, exclusive: bool) -> None:
        """Put the positive pixels of ``other`` over ``own``."""
        del what
        classes = other.target[1:] if exclusive else other.target
        pasted = ((classes > 0.5).any(0) & (other.valid[0] != 0)).astype(np.uint8)
        if self.grow:
            side = 2 * self.grow + 1
            kernel = np.ones((side, side), np.uint8)
            for plane in planes_of(pasted[None]):
                plane[...] = cv2.dilate(plane, kernel)
        at = pasted != 0
        for mine, theirs in zip(own, other, strict=True):
            mine[:, at] = theirs[:, at]
