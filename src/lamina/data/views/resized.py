"""Whole images at another size, and answers brought back to the size they were stored in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.readers.cache import RECENT
from lamina.geometry.region import Region
from lamina.volume import VolumeView, check_within, read_all

_RESAMPLED = (np.uint8, np.uint16, np.int16, np.float32)  # types that OpenCV knows


@dataclass(frozen=True)
class Resized(VolumeView):
    """A two-axis volume seen at another size; it is resized as a whole, and kept for a while.

    ``smooth`` averages the area of a pixel where both sides shrink and is bilinear otherwise;
    without it every pixel is the nearest stored one, so that classes stay classes (SIIM-7).
    """

    size: tuple[int, int]
    smooth: bool

    def __post_init__(self) -> None:
        if len(self.source.axes) != 2 or min(self.size) < 1:
            raise ValueError(f"{self.source.name}: axes '{self.source.axes}' to {self.size}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of that size."""
        return self.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the source; float32 where it is one that cannot be resampled."""
        stored = self.source.dtype
        if not self.smooth or stored in _RESAMPLED:
            return stored
        return np.dtype(np.uint8 if stored == np.bool_ else np.float32)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of the resized whole."""
        check_within(self, region)
        key = getattr(self.source, "content_key", None)
        if key is None:
            return self._whole()[(slice(None), *region.slices)]
        whole = RECENT.get((key, self.size, self.smooth), self._whole)
        return np.array(whole[(slice(None), *region.slices)], order="C")

    def _whole(self) -> NDArray[Any]:
        stored = read_all(self.source)
        if self.smooth:
            return resample(stored.astype(self.dtype, copy=False), self.size)
        rows, columns = (
            _nearest(old, new) for old, new in zip(stored.shape[1:], self.size, strict=True)
        )
        return stored[:, rows[:, None], columns]


def resized(case: Case, shape: tuple[int, int] | None, *, restore: bool = False) -> Case:
    """Return a two-axis case at another size; None, or the size it has, changes nothing.

    Args:
        case: Opened, not read.
        shape: Rows and columns.
        restore: Targets are values, which lie between their neighbours like those of images.
    """
    if shape is None or tuple(case.image.shape) == shape:
        return case
    target, valid = case.target, case.valid
    if target is not None:
        target = Resized(target, shape, smooth=restore or target.dtype.kind == "f")
    return replace(
        case,
        image=Resized(case.image, shape, smooth=True),
        target=target,
        valid=None if valid is None else Resized(valid, shape, smooth=False),
        places=None if case.places is None else case.places.resized(shape),
    )


def resample(planes: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """Return (C, H, W) at another (H, W), in its type: area where it shrinks, else bilinear.

    Pixels are areas, corner to corner: the centre of pixel i of n lies at (i + 1/2) / n.
    """
    rows, columns = shape
    shrinks = rows <= planes.shape[1] and columns <= planes.shape[2]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    out = np.empty((len(planes), rows, columns), planes.dtype)
    for plane, place in zip(planes, out, strict=True):
        place[...] = cv2.resize(np.ascontiguousarray(plane), (columns, rows), interpolation=how)
    return out


def _nearest(old: int, new: int) -> NDArray[np.int64]:
    """Return which of ``old`` pixels holds the centre of each of ``new``, in whole numbers."""
    return (2 * np.arange(new) + 1) * old // (2 * new)
