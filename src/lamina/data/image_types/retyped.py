"""A volume whose numbers are those of another in another type: 8-bit data, stored as it may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import VolumeView, check_within

Scale = Literal["whole", "times_257", "over_255"]
"""How a level k of 0 to 255 is stored: as k, as k * 257 (16 bits), or as k / 255 (0 to 1)."""

_FACTORS: dict[Scale, float] = {"whole": 1.0, "times_257": 257.0, "over_255": 1 / 255}
_NEAR = 0.01  # of a level: floats do not hold k / 255 exactly


def scale_of(values: NDArray[Any]) -> Scale | None:
    """Return how 8-bit levels are stored in an array; None: it holds others, or nothing but 0.

    Example:
        >>> scale_of(np.array([0, 257, 65535], np.uint16)), scale_of(np.array([0, 300], np.uint16))
        ('times_257', None)
    """
    if values.dtype.kind == "b" or not values.any() or values.min() < 0:
        return None
    high = values.max()
    if values.dtype.kind == "f":
        order: tuple[Scale, ...] = ("over_255",) if high <= 1 else ("whole", "times_257")
    else:
        order = ("whole", "times_257")
    return next((scale for scale in order if levels(values, scale) is not None), None)


def levels(values: NDArray[Any], scale: Scale) -> NDArray[np.uint8] | None:
    """Return the 8-bit levels of stored values; None where some are none of this scale."""
    if scale == "over_255":
        found = values.astype(np.float64) * 255
        whole = np.rint(found)
        exact = bool((np.abs(found - whole) <= _NEAR).all())
    else:
        found = values / np.float64(_FACTORS[scale])
        whole = np.rint(found)
        exact = bool((found == whole).all())
    inside = bool((whole >= 0).all() and (whole <= 255).all())
    return whole.astype(np.uint8) if exact and inside else None


@dataclass(frozen=True)
class Retyped(VolumeView):
    """8-bit levels, in the type and on the scale that others of their kind are stored on."""

    stored: Scale
    wanted: Scale
    as_type: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type wanted."""
        return np.dtype(self.as_type)

    def stamp(self) -> None:
        """A copy of the source serves."""
        return

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of levels, as they are wanted.

        Raises:
            DataError: a value is no level of 8 bits; nothing is rounded.
        """
        check_within(self, region)
        found = levels(self.source.read(region), self.stored)
        if found is None:
            raise DataError(
                f"{self.name}: most of its values are those of 8 bits, and some in {region} are "
                "not; convert it to the type of the training images"
            )
        if self.wanted == "over_255":
            return np.asarray(found.astype(np.float64) / 255, self.dtype)
        return np.asarray(found.astype(self.dtype) * self.dtype.type(_FACTORS[self.wanted]))


@dataclass(frozen=True)
class Cast(VolumeView):
    """The same numbers in another type that holds them exactly."""

    as_type: str

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type wanted."""
        return np.dtype(self.as_type)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` in that type.

        Raises:
            DataError: a number is none of that type; nothing is rounded.
        """
        check_within(self, region)
        values = self.source.read(region)
        if not fits(values, self.dtype):
            raise DataError(
                f"{self.name}: some values in {region} are none of {self.dtype}; convert it to the "
                "type of the training images"
            )
        return values.astype(self.dtype)


def fits(values: NDArray[Any], dtype: np.dtype[Any]) -> bool:
    """Whether a type holds all of the numbers exactly.

    Example:
        >>> fits(np.array([1.0, -3.0]), np.dtype(np.int16)), fits(np.array([0.5]), np.dtype(int))
        (True, False)
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return bool((values.astype(dtype).astype(np.float64) == values.astype(np.float64)).all())
