"""One mask file for each class of an image, seen as one target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.targets.label_values import MaskStack, plain
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Volume, VolumeView, check_within


@dataclass(frozen=True)
class ClassMasks:
    """Stored labels of one class in each channel; a class without a file is 0 everywhere.

    ``name``: what messages call it. ``masks``: one for each class, all of one shape, at least one
    that is there; each is read as a mask of one channel.
    """

    name: str
    masks: tuple[Volume | None, ...]

    @property
    def _first(self) -> Volume:
        return next(mask for mask in self.masks if mask is not None)

    @property
    def axes(self) -> str:
        """Axes of one mask."""
        return self._first.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one mask."""
        return self._first.shape

    @property
    def channels(self) -> int:
        """One for each class."""
        return len(self.masks)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Integers that hold all stored values."""
        return np.result_type(
            np.uint8, *(_integer(mask) for mask in self.masks if mask is not None)
        )

    def read(self, region: Region) -> NDArray[Any]:
        """Return stored labels ``(classes, *region.shape)``.

        Raises:
            DataError: a mask holds what is no whole number, or colours.
        """
        check_within(self, region)
        out = np.zeros((self.channels, *region.shape), self.dtype)
        for channel, mask in zip(out, self.masks, strict=True):
            if mask is not None:
                channel[:] = plain(mask, mask.read(region))[0]
        return out


@dataclass(frozen=True)
class AnyClass(VolumeView):
    """Stored labels of several masks as one: the largest of each pixel, for a binary task."""

    channels = 1

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(1, *region.shape)``."""
        largest: NDArray[Any] = self.source.read(region).max(axis=0, keepdims=True)
        return largest


def class_masks(name: str, masks: Sequence[Volume | None], *, union: bool) -> Volume:
    """Return the masks of all classes of an image as one volume of stored labels.

    Args:
        name: What messages call it.
        masks: One for each class; None: the image does not show it. At least one is there.
        union: Whether they are one class together, in place of a channel each.

    Raises:
        DataError: shapes differ.
    """
    there = [mask for mask in masks if mask is not None]
    odd = [mask for mask in there if (mask.axes, mask.shape) != (there[0].axes, there[0].shape)]
    if odd:
        raise DataError(
            f"{odd[0].name}: is {odd[0].shape}, and the mask of another class is "
            f"{there[0].shape} ({there[0].name}); they must be equal"
        )
    found = ClassMasks(name, tuple(masks))
    return AnyClass(found) if union else MaskStack(found, pages=False)


def _integer(mask: Volume) -> np.dtype[Any]:
    return np.dtype(np.int64) if mask.dtype.kind not in "iu" else mask.dtype
