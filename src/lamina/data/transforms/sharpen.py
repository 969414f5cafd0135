"""Sharpening."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from lamina.data.transforms.base import Patch, Touch, planes_of


class Sharpen(Touch):
    """Blend the image with its sharpened self, every channel alike; target and valid area stay.

    One 3 by 3 kernel does both: (1 - a) times the identity plus a times a kernel of -1 around
    8 + l. Its sum is 1 - a + a l, so that a lightness l below 1 darkens a little. The formula of
    ``Sharpen`` in imgaug and albumentations, with a and l uniform in their limits.
    """

    kind: Literal["sharpen"] = "sharpen"

    alpha: tuple[float, float] = (0.2, 0.5)
    """Minimum and maximum share a of the sharpened image."""

    lightness: tuple[float, float] = (0.5, 1.0)
    """Minimum and maximum lightness l; 1 keeps the mean."""

    @field_validator("alpha", "lightness")
    @classmethod
    def _ranges_rise(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= pair[0] <= pair[1]:
            raise ValueError(f"{list(pair)} must be two numbers from 0, the smaller one first")
        return pair

    @field_validator("alpha")
    @classmethod
    def _alpha_is_a_share(cls, alpha: tuple[float, float]) -> tuple[float, float]:
        if alpha[1] > 1:
            raise ValueError(f"{list(alpha)} must not be above 1")
        return alpha

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[float, float] | None:
        """Return (a, l)."""
        if rng.random() >= self.p:
            return None
        return float(rng.uniform(*self.alpha)), float(rng.uniform(*self.lightness))

    def touch(self, patch: Patch, picked: tuple[float, float]) -> Patch:
        """Filter each channel; the border reflects, and integers stay in their range."""
        kernel = _kernel(*picked)
        image = np.empty(patch.image.shape, patch.image.dtype)
        for plane, out in zip(planes_of(patch.image), planes_of(image), strict=True):
            cv2.filter2D(np.ascontiguousarray(plane), -1, kernel, dst=out)
        return replace(patch, image=image)


def _kernel(alpha: float, lightness: float) -> NDArray[np.float32]:
    kernel = np.full((3, 3), -alpha, np.float32)
    kernel[1, 1] = 1 - alpha + alpha * (8 + lightness)
    return kernel
