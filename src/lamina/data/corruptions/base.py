"""What every corruption promises: chance from the generator it is given, float32 in and out.

Noise is added to values in stored units and is neither clipped nor rounded, so that its mean stays
zero where an image is black or white.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.spec import Spec

Array = NDArray[np.float32]
Level = float | tuple[float, float]
"""A number, or the least and the greatest of a range that is drawn from evenly, once an image."""


@dataclass(frozen=True)
class Scene:
    """What is known of the pixels to corrupt besides their values."""

    axes: str
    """Names of their spatial axes."""

    last: str
    """Name of the last axis of the image or volume that they are from."""

    unit: float
    """Maximum stored value: 255 for 8 bits, 65535 for 16 bits, 1 for floats."""

    name: str
    """What messages call it."""


class Corruption(Spec):
    """One way in which an image gets worse."""

    @abstractmethod
    def pick(self, rng: np.random.Generator) -> Any:
        """Return what holds for all of an image, such as how strong the noise is."""

    def whole(self, last: str) -> str:
        """Return the axes along which pixels hang together; ``last`` names the last of all."""
        del last
        return ""

    @abstractmethod
    def spoil(self, clean: Array, picked: Any, scene: Scene, rng: np.random.Generator) -> Array:
        """Return the corrupted values, a new array.

        Args:
            clean: (C, *S) float32 in stored units: a part of an image, whole along ``whole``.
            picked: What ``pick`` returned.
            scene: Axes and range.
            rng: Made for this part.
        """


def drawn(level: Level, rng: np.random.Generator) -> float:
    """Return a number, or one of its range."""
    return float(rng.uniform(*level)) if isinstance(level, tuple) else level


def check_level(name: str, level: Level, least: float = 0.0) -> Level:
    """Return ``level``.

    Raises:
        ValueError: it is below ``least``, or its ends are exchanged.
    """
    low, high = level if isinstance(level, tuple) else (level, level)
    if low < least or low > high:
        raise ValueError(
            f"{name} is {level}; it must be a number of at least {least:g}, or two in order"
        )
    return level
