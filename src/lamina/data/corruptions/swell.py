"""Swell noise of marine seismic data: slow bursts on single traces."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field, field_validator

from lamina.data.corruptions.base import Array, Corruption, Level, Scene, check_level, drawn


class Swell(Corruption):
    """Some traces carry a burst of low frequency: a sine under a Gaussian envelope.

    Waves that pass the streamer shake a few receivers at a time, with 2 to 15 Hz (Elboth et al.
    2009, Geophysics 74).
    """

    kind: Literal["swell"] = "swell"

    strength: Level = 1.0
    """Height of a burst in stored units; or [minimum, maximum], drawn anew for every image."""

    share: float = Field(default=0.05, ge=0, le=1)
    """Share of traces that carry one."""

    along: str | None = Field(default=None, pattern=r"^[a-z]$")
    """The axis that traces run along; null: the last one."""

    length: tuple[float, float] = (0.1, 0.5)
    """Minimum and maximum length of a burst, as a share of its trace."""

    frequency: tuple[float, float] = (0.008, 0.06)
    """Minimum and maximum frequency, in cycles per sample: 2 and 15 Hz at 4 ms."""

    @field_validator("strength")
    @classmethod
    def _strength_is_positive(cls, strength: Level) -> Level:
        return check_level("strength", strength)

    @field_validator("length", "frequency")
    @classmethod
    def _ends_are_in_order(cls, ends: tuple[float, float]) -> tuple[float, float]:
        check_level("a range", ends, least=1e-6)
        return ends

    def pick(self, rng: np.random.Generator) -> float:
        """Return the height."""
        return drawn(self.strength, rng)

    def whole(self, last: str) -> str:
        """Return the axis of the traces."""
        return self.along or last

    def spoil(self, clean: Array, picked: float, scene: Scene, rng: np.random.Generator) -> Array:
        """Return clean + bursts; in slices across the traces each shows one sample of its own."""
        along = self.whole(scene.last)
        noisy = clean.copy()
        traces = noisy[..., None]
        if along in scene.axes:
            traces = np.moveaxis(noisy, 1 + scene.axes.index(along), -1)
        hit = np.nonzero(rng.random(traces.shape[:-1]) < self.share)
        count, samples = len(hit[0]), traces.shape[-1]
        at = np.arange(samples) if samples > 1 else rng.uniform(0, 1000, (count, 1))
        whole = samples if samples > 1 else 1000
        middle = rng.uniform(0, whole, (count, 1))
        deviation = whole * rng.uniform(*self.length, (count, 1)) / 6
        turns = rng.uniform(*self.frequency, (count, 1)) * at + rng.random((count, 1))
        envelope = np.exp(-0.5 * ((at - middle) / deviation) ** 2)
        bursts = picked * np.sin(2 * np.pi * turns) * envelope
        traces[hit] += bursts.astype(np.float32)
        return noisy
