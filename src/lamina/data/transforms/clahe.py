"""Local equalisation of contrast."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
from pydantic import field_validator

from lamina.data.transforms.base import Patch, Touch, planes_of
from lamina.errors import DataError


class Clahe(Touch):
    """Equalise the histogram tile by tile with its bars cut at a limit, each channel on its own.

    Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) as in OpenCV, for images of
    8 and 16 bits. Target and valid area stay.
    """

    kind: Literal["clahe"] = "clahe"

    clip: tuple[float, float] = (4.0, 4.0)
    """Minimum and maximum limit of a bar, in mean heights of the tile's bars; drawn uniformly."""

    grid: tuple[int, int] = (8, 8)
    """Tiles along rows and columns."""

    @field_validator("clip")
    @classmethod
    def _clips_rise(cls, clip: tuple[float, float]) -> tuple[float, float]:
        if not 0 < clip[0] <= clip[1]:
            raise ValueError(f"{list(clip)} must be two positive numbers, the smaller one first")
        return clip

    @field_validator("grid")
    @classmethod
    def _grid_has_tiles(cls, grid: tuple[int, int]) -> tuple[int, int]:
        if min(grid) < 1:
            raise ValueError(f"{list(grid)} must be at least one tile along each axis")
        return grid

    def pick(self, size: tuple[int, ...], rng: np.random.Generator) -> float | None:
        """Return the limit."""
        return float(rng.uniform(*self.clip)) if rng.random() < self.p else None

    def touch(self, patch: Patch, picked: float) -> Patch:
        """Equalise each channel.

        Raises:
            DataError: the image is neither uint8 nor uint16, and has no bars to count.
        """
        if patch.image.dtype not in (np.uint8, np.uint16):
            raise DataError(
                f"the transform clahe counts values of 8 or 16 bits, and the images are "
                f"{patch.image.dtype}; leave it out, or store the images as uint8 or uint16"
            )
        rows, columns = self.grid
        equaliser = cv2.createCLAHE(picked, (columns, rows))
        image = np.empty(patch.image.shape, patch.image.dtype)
        for plane, out in zip(planes_of(patch.image), planes_of(image), strict=True):
            equaliser.apply(np.ascontiguousarray(plane), dst=out)
        return replace(patch, image=image)
