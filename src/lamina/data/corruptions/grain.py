"""Noise that hangs together over a few pixels, as that of cameras after their processing."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import field_validator

from lamina.data.corruptions.base import Array, Corruption, Level, Scene, check_level, drawn


class Picked(NamedTuple):
    """What holds for an image."""

    sigma: float
    width: float


class Grain(Corruption):
    """Normal noise that was blurred, and scaled to the deviation asked for.

    Demosaicking, resizing and compression spread the noise of a pixel over its neighbours. Of held
    out images it is drawn in blocks, at whose borders neighbours are independent.
    """

    kind: Literal["grain"] = "grain"

    sigma: Level = 10.0
    """Standard deviation in stored units; or [minimum, maximum], of which every image has its
    own."""

    width: Level = 1.0
    """Deviation of the Gaussian blur in pixels, 0 for independent noise; or [minimum, maximum]."""

    @field_validator("sigma", "width")
    @classmethod
    def _levels_are_positive(cls, level: Level) -> Level:
        return check_level("a level of grain", level)

    def pick(self, rng: np.random.Generator) -> Any:
        """Return deviation and width."""
        return Picked(drawn(self.sigma, rng), drawn(self.width, rng))

    def spoil(self, clean: Array, picked: Any, scene: Scene, rng: np.random.Generator) -> Array:
        """Return clean + sigma blurred(n) / deviation of blurred(n)."""
        from scipy.ndimage import gaussian_filter

        del scene
        noise = rng.standard_normal(clean.shape, np.float32)
        if picked.width > 0:
            noise = gaussian_filter(
                noise, picked.width, mode="wrap", axes=tuple(range(1, clean.ndim))
            )
            noise /= np.float32(_kept(picked.width, clean.shape[1:]))
        return clean + np.float32(picked.sigma) * noise


def _kept(width: float, shape: tuple[int, ...]) -> float:
    """Return the deviation that blurring leaves of independent noise of 1."""
    from scipy.ndimage import gaussian_filter

    kept = 1.0
    for side in shape:
        line = np.zeros(side)
        line[0] = 1
        kept *= float(np.sqrt((gaussian_filter(line, width, mode="wrap") ** 2).sum()))
    return kept
