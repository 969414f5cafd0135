"""Volumes by their own range: from least to greatest value, or between two percentiles.

The range is that of the whole volume, so that its slices stay comparable. It is measured in pieces
when it is first needed, and goes along to whoever gets the volume then, such as loader workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from lamina.data.network_input.normalise import check_finite
from lamina.data.views.percentiles import extremes, percentiles
from lamina.geometry.region import Region
from lamina.spec import Spec
from lamina.volume import Volume, VolumeView, check_within, values_stamp

To = Literal["byte", "unit"]


class Stretch(Spec):
    """Bring each volume to one range by its own numbers."""

    to: To = "byte"  # FAULT-3
    """byte: times 255, truncated to 8 bits, as the released faults pipeline stored its slices;
    follow it with frame.normalise {kind: fixed}. unit: 0 to 1 in float32."""

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
        """Return a volume stretched; nothing is read yet."""
        return Stretched(volume, self)

    def measure(self, volume: Volume) -> tuple[float, float]:
        """Return the values of a volume that become 0 and 1, read in pieces.

        Raises:
            DataError: it holds NaN or infinity.
        """
        if (self.low, self.high) == (0, 100):
            return extremes(volume)
        low, high = percentiles(volume, (self.low, self.high))
        return low, high


@dataclass(frozen=True)
class Stretched(VolumeView):
    """Another volume with the low end of its range at 0 and the high one at 255 (byte) or 1.

    Calculated as numpy does on the stored array, (x - low) / (high - low) * 255 in the stored
    type if it is float32 or float64, else in float64; float16 in float32. A volume without any
    spread becomes 0.
    """

    stretch: Stretch
    measured: list[tuple[float, float]] = field(default_factory=list, repr=False, compare=False)
    """The ends of the range, once they are known."""

    like: Stretched | None = None
    """Whose range it takes; None: its own."""

    @property
    def ends(self) -> tuple[float, float]:
        """Minimum and maximum value, or percentiles; measured when they are first asked for."""
        if self.like is not None:
            return self.like.ends
        if not self.measured:
            self.measured.append(self.stretch.measure(self.source))
        return self.measured[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8 or float32."""
        return np.dtype(np.uint8 if self.stretch.to == "byte" else np.float32)

    def stamp(self) -> str | None:
        """Return the source's with the range; and that of the volume whose range it takes."""
        stored = values_stamp(self.source)
        if stored is None:
            return None
        like = None if self.like is None else self.like.stamp()
        return f"{stored} {self.stretch.model_dump_json()}{'' if like is None else f' like {like}'}"

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the volume.
            DataError: it cannot be read, or holds NaN or infinity.
        """
        check_within(self, region)
        ends = self.ends
        stored = self.source.read(region)
        if ends[0] == ends[1]:
            return np.zeros(stored.shape, self.dtype)
        check_finite(stored, self.name)
        kind: type[np.floating[Any]] = np.float64
        if stored.dtype in (np.float16, np.float32):
            kind = np.float32
        low, high = kind(ends[0]), kind(ends[1])
        values: NDArray[np.floating[Any]] = np.subtract(stored, low, dtype=kind)
        values /= high - low
        if self.stretch.to == "unit":
            return values.astype(np.float32, copy=False)
        values *= kind(255)
        return values.clip(0, 255, out=values).astype(np.uint8)
