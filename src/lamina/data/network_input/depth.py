"""How many layers of a stack the network sees, and which."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.spec import Spec
from lamina.volume import Volume, narrowed

_ROUNDING = 1e-9  # 20 times 1.1 is a little more than 22


class Depth(Spec):  # INK-13, INK-14, INK-15
    """Fewer layers than there are: a random part in training, the middle in prediction.

    A training sample shows trunc(see q) layers next to one another, q uniform from 1 / factor to
    factor, the first one anywhere it fits; they are resized linearly along depth to ``see``.
    In prediction these are the middle ceil(see factor) layers.
    """

    see: int = Field(default=18, ge=1)
    """Layers the network sees."""

    factor: float = Field(default=1.33, ge=1)
    """How much deeper or thinner than ``see`` a sample may be; 1: always as deep."""

    @property
    def most(self) -> int:
        """Layers that are looked at in prediction, and at most in training."""
        return math.ceil(self.see * self.factor - _ROUNDING)

    def drawn(self, volume: Volume, rng: np.random.Generator) -> Volume:
        """Return the layers of one training sample as channels, (trunc(see q), H, W) when read."""
        stored = volume.channels
        count = int(self.see * rng.uniform(1 / self.factor, self.factor) + _ROUNDING)
        count = min(max(count, 1), stored)
        return narrowed(volume, int(rng.integers(0, stored - count + 1)), count)

    def middle(self, volume: Volume) -> Volume:
        """Return the layers that prediction looks at, all where there are fewer."""
        count = min(self.most, volume.channels)
        return narrowed(volume, (volume.channels - count) // 2, count)

    def resized(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return (see, H, W) from (count, H, W) in the stored type, linear; integers are rounded.

        Layers have a thickness, end to end: the middle of layer i of n lies at (i + 1/2) / n, as
        rows do where images are resized. The outermost layers are repeated beyond their middle.

        Args:
            pixels: uint8, uint16 or float32, as OpenCV knows them; others become float32.
        """
        count = len(pixels)
        if count == self.see:
            return pixels
        if pixels.dtype not in (np.uint8, np.uint16, np.float32):
            pixels = pixels.astype(np.float32)
        out = np.empty((self.see, *pixels.shape[1:]), pixels.dtype)
        for place, layer in enumerate(out):
            at = min(max((place + 0.5) * count / self.see - 0.5, 0.0), count - 1.0)
            lower = min(int(at), count - 2) if count > 1 else 0
            upper, share = min(lower + 1, count - 1), at - lower
            cv2.addWeighted(
                np.ascontiguousarray(pixels[lower]),
                1 - share,
                np.ascontiguousarray(pixels[upper]),
                share,
                0,
                dst=layer,
            )
        return out
