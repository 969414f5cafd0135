"""Annotated shapes of an image as a target: polygons, codes and drawn figures, read by region."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.region import Region
from lamina.volume import VolumeView, check_within


class Shape(Protocol):
    """Something that covers pixels of an image."""

    def window(self, shape: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
        """Return first row, first column and the mask of a window outside which nothing is on.

        Args:
            shape: Rows and columns of the image; the window lies within.
        """
        ...

    def key(self) -> bytes:
        """Return what tells this shape from others, for digests."""
        ...


@dataclass(frozen=True, eq=False)
class ShapesTarget:
    """Channels of 0/1 in uint8, each the union of its shapes; an image may have none."""

    name: str
    shape: tuple[int, int]
    shapes: tuple[tuple[Shape, ...], ...]

    @property
    def axes(self) -> str:
        """Rows, then columns."""
        return "yx"

    @property
    def channels(self) -> int:
        """One for each class."""
        return len(self.shapes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """One byte a pixel."""
        return np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Return ``(channels, *region.shape)`` of 0/1."""
        check_within(self, region)
        out = np.zeros((self.channels, *region.shape), np.uint8)
        for channel, shapes in zip(out, self.shapes, strict=True):
            for shape in shapes:
                _paint(channel, region, *shape.window(self.shape))
        return out

    def areas(self) -> list[int]:
        """Return the number of pixels of each channel."""
        whole = Region.whole(self.shape)
        return [
            int(np.count_nonzero(ShapesTarget(self.name, self.shape, (shape,)).read(whole)))
            if shape
            else 0
            for shape in self.shapes
        ]

    def digest(self) -> str:
        """Return the SHA-256 of all shapes."""
        found = hashlib.sha256()
        for number, shapes in enumerate(self.shapes):
            for shape in shapes:
                found.update(f"{number} {len(shape.key())} ".encode() + shape.key())
        return found.hexdigest()


@dataclass(frozen=True, eq=False)
class Outside(VolumeView):
    """1 where no shape is, 0 where one is: where pixels count beside areas to be ignored."""

    channels = 1
    dtype = np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Return ``(1, *region.shape)`` of 0/1."""
        return np.asarray(1 - self.source.read(region), np.uint8)


def facts_of(areas: Sequence[int]) -> dict[str, float | str]:
    """Return the facts of a case with such areas by class."""
    facts: dict[str, float | str] = {f"area_{k}": area for k, area in enumerate(areas)}
    facts["classes"] = ",".join(str(k) for k, area in enumerate(areas) if area)
    return facts


def _paint(
    channel: NDArray[np.uint8], region: Region, top: int, left: int, mask: NDArray[np.bool_]
) -> None:
    """Set what of a window lies in a region, whose pixels ``channel`` holds."""
    (row, column), (last_row, last_column) = region.start, region.stop
    rows = slice(max(top, row), min(top + mask.shape[0], last_row))
    columns = slice(max(left, column), min(left + mask.shape[1], last_column))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    inside = mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    channel[rows.start - row : rows.stop - row, columns.start - column : columns.stop - column] |= (
        inside
    )
