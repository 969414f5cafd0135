"""From stored values to what a network likes: x becomes (x - shift) * factor, per channel."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.data.case import Case
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.spec import Spec
from lamina.volume import Plane, Volume

Vector = NDArray[np.float32]

_PIECE = 2**22  # values read at a time; in float64, 32 MiB


class Normalise(Spec):
    """Where shift and factor come from."""

    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return the normalisation with all that is learnt from the training cases filled in."""
        raise NotImplementedError

    def factors(self, volume: Volume) -> tuple[Vector, Vector]:
        """Return shift and factor for ``volume``, each (1,) or (C,) float32.

        A factor of 0 stands for a channel without any spread, which becomes 0 everywhere (I10).
        """
        raise NotImplementedError


class Fixed(Normalise):
    """(x / scale - mean) / std with given numbers, such as those a pretrained network expects."""

    kind: Literal["fixed"] = "fixed"

    mean: float | tuple[float, ...] = 0.0
    """One number, or one per channel."""

    std: float | tuple[float, ...] = 1.0
    """One number, or one per channel; 0 turns its channel into 0."""

    scale: float = Field(default=255.0, gt=0)
    """What stored values are divided by first: 255 for 8 bit, 65535 for 16 bit, 1 for floats."""

    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return itself; nothing is learnt."""
        return self

    def factors(self, volume: Volume) -> tuple[Vector, Vector]:
        """Return scale * mean and 1 / (scale * std)."""
        mean, std = np.broadcast_arrays(np.atleast_1d(self.mean), np.atleast_1d(self.std))
        return (mean * self.scale).astype(np.float32), _inverse(std * self.scale)


class DatasetStats(Normalise):
    """Mean and standard deviation per channel over all pixels of the training cases.

    They are measured once, before training, and kept as ``Fixed``.
    """

    kind: Literal["dataset"] = "dataset"

    def fit(self, cases: Sequence[Case]) -> AnyNormalise:
        """Return the ``Fixed`` of the cases; channels that are all alike give one number.

        Of planes with neighbours as channels only the plane itself is measured.

        Raises:
            DataError: an image holds NaN or infinity, or cases differ in their channels.
        """
        total: Moments | None = None
        for case in cases:
            found = _moments(case.image)
            if total is not None and len(total.mean) != len(found.mean):
                raise DataError(
                    f"case {case.id}: has {len(found.mean)} channels, the cases before it "
                    f"{len(total.mean)}; convert them to one kind, or set frame.normalise.kind "
                    "to fixed"
                )
            total = found if total is None else total + found
        if total is None:
            raise DataError("no training case to measure mean and standard deviation on")
        mean, std = total.mean.tolist(), np.sqrt(total.spread / total.count).tolist()
        if len(set(mean)) == len(set(std)) == 1:
            return Fixed(mean=mean[0], std=std[0], scale=1.0)
        return Fixed(mean=tuple(mean), std=tuple(std), scale=1.0)

    def factors(self, volume: Volume) -> tuple[Vector, Vector]:
        """Refuse: there are no numbers before ``fit``."""
        raise ValueError("DatasetStats has no numbers yet; call fit() and use what it returns")


class PerCase(Normalise):
    """Each image by its own numbers, all channels alike."""

    kind: Literal["case"] = "case"

    how: Literal["minmax", "standard", "percentile"] = "standard"
    """minmax: 0 to 1; standard: mean 0, deviation 1; percentile: low to high becomes 0 to 1."""

    low: float = Field(default=1.0, ge=0, lt=100)
    """Percentile that becomes 0; values below it become negative."""

    high: float = Field(default=99.0, gt=0, le=100)
    """Percentile that becomes 1; values above it become greater."""


AnyNormalise = Annotated[Fixed | DatasetStats | PerCase, Field(discriminator="kind")]
