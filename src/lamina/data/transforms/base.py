"""What every transform promises: chance first, then change; what moves pixels moves them once.

A transform is of one of three kinds. A ``Warp`` says where each output pixel comes from; all
warps of a recipe compose into one map, so that image, target and valid area are resampled
once. A ``Table`` changes values one by one; all tables compose into one look-up table for
integer images. A ``Touch`` needs the pixels themselves (blur, noise, holes) and comes after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.spec import Spec

Coordinates = NDArray[np.float32]
"""(2, H, W): source row and source column of each output pixel, in pixels of the image."""


class Transform(Spec):
    """A random change of a sample."""

    p: float = Field(default=0.5, ge=0, le=1)
    """Probability that it happens."""


class Warp(Transform):
    """A transform that moves pixels."""

    def pick(self, size: tuple[int, int], rng: np.random.Generator) -> Any:
        """Return what this warp will do to a region of ``size`` (rows, columns), or None."""
        raise NotImplementedError

    def move(self, where: Coordinates, picked: Any) -> Coordinates:
        """Return new source positions: output pixel -> position in the frame before this warp.

        ``where`` is relative to the region's centre, (2, H, W) float32, rows then columns.
        Warps are applied from last to first, so that they act on the image in recipe order.
        """
        raise NotImplementedError


class Table(Transform):
    """A transform that maps values one by one, the same for every pixel and channel."""

    def pick(self, rng: np.random.Generator) -> Any:
        """Return what this table will do, or None."""
        raise NotImplementedError

    def map(self, values: NDArray[np.float32], picked: Any) -> NDArray[np.float32]:
        """Return new values; in and out are fractions of the type's range (0..1 for integers)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Patch:
    """Pixels between warp and normalisation.

    ``image`` (C, H, W) in the stored type; ``target`` (K, H, W); ``valid`` (1, H, W) uint8.
    """

    image: NDArray[Any]
    target: NDArray[Any]
    valid: NDArray[np.uint8]


class Touch(Transform):
    """A transform that needs the pixels; it returns a new patch."""

    def pick(self, size: tuple[int, int], rng: np.random.Generator) -> Any:
        """Return what this transform will do to a patch of ``size``, or None."""
        raise NotImplementedError

    def touch(self, patch: Patch, picked: Any) -> Patch:
        """Return the changed patch."""
        raise NotImplementedError
