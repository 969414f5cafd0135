"""Volumes by their own range: from least to greatest value, or between two percentiles.

The range is that of the whole volume, so that its slices stay comparable; it is measured once, in
pieces, when the volume is opened, and goes along to whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lamina.data.normalise import check_finite
from lamina.data.ranks import extremes, percentiles
from lamina.geometry.region import Region
from lamina.spec import Spec
from lamina.volume import Volume, check_within

To = Literal["byte", "unit"]


class Stretch(Spec):
    """Bring each volume to one range by its own numbers."""

    to: To = "byte"
    """byte: times 255, truncated to 8 bits, as the released faults pipeline stored its slices
    (FAULT-3); follow it with frame.normalise {kind: fixed}. unit: 0 to 1 in float32."""

    low: float = Field(default=0.0, ge=0, lt=100)
    """Percentile of the whole volume that becomes 0; 0: its least value. What is below becomes 0
    (byte) or negative (unit)."""

    high: float = Field(default=100.0, gt=0, le=100)
    """Percentile of the whole volume that becomes 1; 100: its greatest value."""

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Stretch:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low}, not below high, {self.high}")
        return self

    def of(self, volume: Volume) -> Stretched:
        """Measure a volume, which reads it in pieces, and return it stretched.

        Raises:
            DataError: it holds NaN or infinity.
        """
        if (self.low, self.high) == (0, 100):
            low, high = extremes(volume)
        else:
            low, high = percentiles(volume, (self.low, self.high))
        return Stretched(volume, low, high, self.to)


@dataclass(frozen=True)
class Stretched:
    """Another volume with ``low`` at 0 and ``high`` at 255 (byte) or 1 (unit).

    Calculated as numpy does on the stored array, (x - low) / (high - low) * 255 in the stored
    type if it is float32 or float64, else in float64; float16 in float32. A volume without any
    spread becomes 0.
    """

    source: Volume
    low: float
    high: float
    to: To

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.source.name

    @property
    def axes(self) -> str:
        """Axes of the source."""
        return self.source.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the source."""
        return self.source.shape

    @property
    def channels(self) -> int:
        """Channels of the source."""
        return self.source.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 or float32."""
        return np.dtype(np.uint8 if self.to == "byte" else np.float32)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the volume.
            DataError: it cannot be read, or holds NaN or infinity.
        """
        check_within(self, region)
        stored = self.source.read(region)
        if self.low == self.high:
            return np.zeros(stored.shape, self.dtype)
        check_finite(stored, self.name)
        kind: type[np.floating[Any]] = np.float64
        if stored.dtype in (np.float16, np.float32):
            kind = np.float32
        low, high = kind(self.low), kind(self.high)
        values: NDArray[np.floating[Any]] = np.subtract(stored, low, dtype=kind)
        values /= high - low
        if self.to == "unit":
            return values.astype(np.float32, copy=False)
        values *= kind(255)
        return values.clip(0, 255, out=values).astype(np.uint8)
