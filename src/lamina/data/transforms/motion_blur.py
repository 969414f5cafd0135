"""Blurring along a line."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lamina.data.transforms.base import Patch, Touch, planes_of

_POINTS = 16  # of the line for each pixel of its length


class MotionBlur(Touch):  # INK-14
    """Blur the image as if it had moved straight on, every channel alike.

    Each pixel becomes the mean along a line through it; target and valid area stay.
    """

    kind: Literal["motion_blur"] = "motion_blur"

    kernel: int = Field(default=7, ge=3)
    """Maximum length of the line, in pixels, odd; the length is drawn from 3, 5 ... kernel, the
    direction uniformly."""

    @field_validator("kernel")
    @classmethod
    def _kernel_is_odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError(f"kernel is {kernel}; it must be odd, such as {kernel + 1}")
        return kernel

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[int, float] | None:
        """Return length and direction, in radians from the columns' axis."""
        if rng.random() >= self.p:
            return None
        return 3 + 2 * int(rng.integers(0, (self.kernel - 1) // 2)), rng.uniform(0, math.pi)

    def touch(self, patch: Patch, picked: tuple[int, float]) -> Patch:
        """Blur each channel; the border reflects."""
        weights = line(*picked)
        image = np.empty(patch.image.shape, patch.image.dtype)
        for plane, out in zip(planes_of(patch.image), planes_of(image), strict=True):
            cv2.filter2D(np.ascontiguousarray(plane), -1, weights, dst=out)
        return replace(patch, image=image)


@lru_cache(maxsize=8)
def line(length: int, angle: float) -> NDArray[np.float32]:
    """Return the weights of a line, (length, length), sum 1.

    Points all along a line through the middle, from end to end, each share their weight among the
    four pixels around them by their nearness. At 0 and 90 degrees that is a mean of ``length``
    pixels.
    """
    half = (length - 1) / 2
    # Between the middles of the outermost pixels, whose outer halves count for them.
    along = (np.arange(length * _POINTS) + 0.5) / _POINTS - 0.5 - half
    along = along.clip(-half, half)
    weights = np.zeros((length + 1, length + 1))
    rows, columns = half - along * math.sin(angle), half + along * math.cos(angle)
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, across = rows - top, columns - left
    for row, part in ((top, 1 - down), (top + 1, down)):
        np.add.at(weights, (row, left), part * (1 - across))
        np.add.at(weights, (row, left + 1), part * across)
    kept = weights[:length, :length]
    found: NDArray[np.float32] = (kept / kept.sum()).astype(np.float32)
    found.setflags(write=False)
    return found
