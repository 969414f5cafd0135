"""Masks that stay run-length codes until they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.rle.codec import Code, decode
from lamina.volume import check_within


@dataclass(frozen=True, slots=True)
class CodedMask:
    """One mask as text, and where it stands: ``place`` is the table with its line."""

    text: str
    place: str


@dataclass(frozen=True, slots=True)
class RleTarget:
    """Channels of 0/1 in uint8, each the union of its coded masks; an image may have none.

    Text is smaller than pixels by a factor of hundreds, so that the masks of a whole
    competition fit in memory; each read decodes anew.
    """

    name: str
    shape: tuple[int, int]
    masks: tuple[tuple[CodedMask, ...], ...]
    code: Code = "severstal"

    @property
    def axes(self) -> str:
        """Rows, then columns."""
        return "yx"

    @property
    def channels(self) -> int:
        """One for each class."""
        return len(self.masks)

    @property
    def dtype(self) -> np.dtype[Any]:
        """One byte a pixel."""
        return np.dtype(np.uint8)

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Return ``(channels, *region.shape)`` of 0/1.

        Raises:
            DataError: a code cannot be read; the message has its line and token.
        """
        check_within(self, region)
        out = np.zeros((self.channels, *region.shape), np.uint8)
        for channel, masks in zip(out, self.masks, strict=True):
            if masks:
                channel[:] = self._union(masks)[region.slices]
        return out

    def areas(self) -> list[int]:
        """Check all codes and return the number of mask pixels of each channel.

        Raises:
            DataError: as ``read``.
        """
        return [int(np.count_nonzero(self._union(masks))) if masks else 0 for masks in self.masks]

    def _union(self, masks: tuple[CodedMask, ...]) -> NDArray[np.bool_]:
        united = self._decoded(masks[0])
        for mask in masks[1:]:
            united = united | self._decoded(mask)
        return united

    def _decoded(self, mask: CodedMask) -> NDArray[np.bool_]:
        try:
            return decode(mask.text, self.shape, self.code)
        except DataError as error:
            raise DataError(f"{mask.place} ({self.name}): {error}") from error
