"""What every transform promises: chance first, then change; what moves pixels moves them once.

A transform is of one of three kinds. A ``Warp`` says where each output pixel comes from; all
warps of a recipe compose into one map, so that image, target and valid area are resampled
once. A ``Table`` changes values one by one; all tables compose into one look-up table for
integer images. A ``Touch`` needs the pixels themselves (blur, noise, holes) and comes after.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.spec import Spec


class Where(NamedTuple):
    """Where each pixel of a region comes from, in pixels from the region's centre.

    Each array broadcasts to the region, (H, W) or (D, H, W): as long as rows and columns stay
    apart, ``rows`` is (H, 1) and ``columns`` (1, W), which keeps flips, quarter turns and grids
    nearly free. Of a block ``planes`` is (D, 1, 1) as long as it moves by itself, and the others
    have a first side of 1 as long as all planes move alike.
    """

    rows: NDArray[np.float32]
    columns: NDArray[np.float32]
    planes: NDArray[np.float32] | None = None
    """Of a block only."""


class Transform(Spec):
    """A random change of a sample."""

    p: float = Field(default=0.5, ge=0, le=1)
    """Probability of applying it."""

    @property
    def moves_planes(self) -> bool:
        """Whether its options are of blocks: it moves voxels along z."""
        return False

    @property
    def exchanges(self) -> bool:
        """Whether rows and columns may change places."""
        return False

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> Any:
        """Return what will be done to a region of ``size``; None: nothing.

        Args:
            size: Rows and columns, or planes, rows and columns. What acts in the plane draws the
                same for a block as for an image.
            rng: Of the sample.
        """
        raise NotImplementedError

    def draw(self, size: tuple[int, ...], rng: np.random.Generator) -> tuple[Transform, Any] | None:
        """Return the transform that will act and what it picked; None: nothing happens."""
        picked = self.pick(size, rng)
        return None if picked is None else (self, picked)


class Warp(Transform):
    """A transform that moves pixels."""

    @abstractmethod
    def move(self, where: Where, picked: Any) -> Where:
        """Return the positions before this warp that ``where``, after it, shows.

        Warps are applied from last to first, so that they act on the image in recipe order.
        """


class Table(Transform):
    """A transform that maps values one by one, the same for every pixel and channel."""

    @abstractmethod
    def map(self, values: NDArray[np.float32], picked: Any) -> NDArray[np.float32]:
        """Return new values; in and out are fractions of the range, 0 to 1 (see ``table.py``)."""


@dataclass(frozen=True)
class Patch:
    """Pixels between warp and normalisation.

    ``image`` (C, H, W) in the stored type, its values between ``low`` and ``high`` (the type's
    limits for uint8 and uint16, the patch's own for every other type); ``target`` (K, H, W);
    ``valid`` (1, H, W) uint8. Of a block all have a depth D before H.
    """

    image: NDArray[Any]
    target: NDArray[Any]
    valid: NDArray[np.uint8]
    low: float
    high: float


class Touch(Transform):
    """A transform that needs the pixels; it returns a new patch.

    What is done to an image is done to every plane of a block alike.
    """

    @abstractmethod
    def touch(self, patch: Patch, picked: Any) -> Patch:
        """Return the changed patch; the old one is untouched."""


def planes_of(pixels: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield every (H, W) of (C, H, W) or (C, D, H, W), in order: views that can be written to."""
    for at in np.ndindex(pixels.shape[:-2]):
        yield pixels[at]
