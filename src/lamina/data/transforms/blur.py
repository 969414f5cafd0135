"""Blurring."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from pydantic import Field, field_validator

from lamina.data.transforms.base import Patch, Touch, planes_of


class Blur(Touch):
    """Blur the image, every channel alike; target and valid area stay."""

    kind: Literal["blur"] = "blur"

    kernel: int = Field(default=7, ge=3)
    """Maximum side of the kernel, in pixels, odd; the side is drawn from 3, 5 ... kernel."""

    how: Literal["gaussian", "box"] = "gaussian"
    """A Gaussian with sigma 0.3 ((side - 1) / 2 - 1) + 0.8, or a plain mean."""

    @field_validator("kernel")
    @classmethod
    def _kernel_is_odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; it must be odd, such as {kernel + 1}")
        return kernel

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> int | None:
        """Return the side of the kernel."""
        if rng.random() >= self.p:
            return None
        return 3 + 2 * int(rng.integers(0, (self.kernel - 1) // 2))

    def touch(self, patch: Patch, picked: int) -> Patch:
        """Blur each channel; the border reflects."""
        image = np.empty(patch.image.shape, patch.image.dtype)
        side, sigma = (picked, picked), 0.3 * ((picked - 1) / 2 - 1) + 0.8
        for plane, out in zip(planes_of(patch.image), planes_of(image), strict=True):
            plane = np.ascontiguousarray(plane)
            if self.how == "gaussian":
                cv2.GaussianBlur(plane, side, sigma, dst=out)
            else:
                cv2.blur(plane, side, dst=out)
        return replace(patch, image=image)
