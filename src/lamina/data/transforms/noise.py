"""Noise."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lamina.data.transforms.base import Patch, Touch
from lamina.seeding import rng as generator


@cache
def _quantiles() -> NDArray[np.float32]:
    """Return 65536 equally likely values of a normal distribution, (65536,) float32."""
    inverse = NormalDist().inv_cdf
    half = np.array([inverse((i + 0.5) / 65536) for i in range(32768)], np.float32)
    return np.concatenate([half, -half[::-1]])


class Noise(Touch):
    """Add independent Gaussian noise to every value of the image.

    The noise takes one of 65,536 equally likely values, which reach 4.3 standard deviations:
    drawing two bytes costs a fifth of drawing a normal number.
    """

    kind: Literal["noise"] = "noise"

    low: float = Field(default=0.01, ge=0)
    """Minimum standard deviation, as a fraction of the range."""

    high: float = Field(default=0.05, ge=0)
    """Maximum standard deviation, as a fraction of the range."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Noise:
        if self.low > self.high:
            raise ValueError(f"low is {self.low}, above high, {self.high}")
        return self

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[float, int] | None:
        """Return the standard deviation and the seed of the noise."""
        if rng.random() >= self.p:
            return None
        return float(rng.uniform(self.low, self.high)), int(rng.integers(2**32))

    def touch(self, patch: Patch, picked: tuple[float, int]) -> Patch:
        """Add the noise; integers are rounded and stay in their range."""
        from lamina.data.transforms.lookup import look_up  # compiles on first use

        image, (std, seed) = patch.image, picked
        step = _quantiles() * np.float32(std * (patch.high - patch.low))
        drawn = np.frombuffer(generator(seed, "noise").bytes(2 * image.size), np.uint16)
        noisy = look_up(drawn, step).reshape(image.shape)
        noisy += image
        if np.issubdtype(image.dtype, np.integer):
            limits = np.iinfo(image.dtype)
            np.rint(noisy, out=noisy)
            np.clip(noisy, limits.min, limits.max, out=noisy)
        return replace(patch, image=noisy.astype(image.dtype, copy=False))
