"""Figures of labelme files, drawn pixel for pixel as labelme draws them with Pillow.

Source: https://github.com/wkentaro/labelme, labelme/utils/shape.py, ``shape_to_mask``.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lamina.errors import DataError

Figure = Literal["polygon", "rectangle", "circle"]
_CORNERS: Mapping[Figure, int] = {"polygon": 3, "rectangle": 2, "circle": 2}
_FAR = 1e6
_NOTHING = np.zeros((0, 0), np.bool_)


@dataclass(frozen=True)
class Drawn:
    """A figure by its points of x and y; a circle by its centre and a point on it."""

    figure: Figure
    points: tuple[tuple[float, float], ...]

    def window(self, shape: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
        """Return the box around the figure, within the image."""
        canvas = Image.new("1", (shape[1], shape[0]))
        draw = ImageDraw.Draw(canvas)
        if self.figure == "polygon":
            draw.polygon(list(self.points), fill=1, outline=1)
        elif self.figure == "rectangle":
            draw.rectangle(_box(self.points), fill=1, outline=1)
        else:
            (x, y), (beside, below) = self.points
            far = math.hypot(x - beside, y - below)
            draw.ellipse([x - far, y - far, x + far, y + far], fill=1, outline=1)
        found = canvas.getbbox()
        if found is None:
            return 0, 0, _NOTHING
        left, top, right, bottom = found
        return top, left, np.asarray(canvas)[top:bottom, left:right]

    def key(self) -> bytes:
        """Return figure and points as bytes."""
        return f"{self.figure} {self.points}".encode()


@dataclass(frozen=True, eq=False)
class Stamp:
    """A mask that lies with its first pixel at a place of the image."""

    top: int
    left: int
    mask: NDArray[np.bool_]

    def window(self, shape: tuple[int, int]) -> tuple[int, int, NDArray[np.bool_]]:
        """Return the part of the mask that is within the image."""
        top, left = max(self.top, 0), max(self.left, 0)
        inside = self.mask[
            top - self.top : max(shape[0] - self.top, 0),
            left - self.left : max(shape[1] - self.left, 0),
        ]
        return top, left, inside

    def key(self) -> bytes:
        """Return place and mask as bytes."""
        return f"{self.top} {self.left} {self.mask.shape}".encode() + self.mask.tobytes()


def drawn(found: Mapping[str, Any]) -> Drawn | Stamp:
    """Return a shape of a labelme file.

    Raises:
        DataError: it is of a kind without an area, or its points are not as that kind needs them.
    """
    figure = found.get("shape_type") or "polygon"
    points = _points(found.get("points"))
    if figure == "mask":
        return _stamp(points, found.get("mask"))
    for known, least in _CORNERS.items():
        if figure == known:
            if len(points) < least or (known != "polygon" and len(points) > least):
                raise DataError(f"a {figure} of {len(points)} points; draw it again, or delete it")
            return Drawn(known, points)
    raise DataError(f"a {figure} has no area; draw a polygon in its place, or delete it")


def _points(found: Any) -> tuple[tuple[float, float], ...]:
    try:
        points = tuple((float(x), float(y)) for x, y in found)
    except (TypeError, ValueError):
        raise DataError("points that are no pairs of numbers; draw it again") from None
    if not all(math.hypot(x, y) < _FAR for x, y in points):
        raise DataError("a point that is no place in an image; draw it again")
    return points


def _stamp(points: tuple[tuple[float, float], ...], text: Any) -> Stamp:
    try:
        with Image.open(io.BytesIO(base64.b64decode(str(text), validate=True))) as image:
            mask = np.asarray(image.convert("L")) > 0
    except (ValueError, OSError, Image.DecompressionBombError):
        raise DataError("a mask that is no image; draw it again") from None
    if not points:
        raise DataError("a mask without a place; draw it again")
    left, top = (round(value) for value in points[0])
    return Stamp(top, left, mask)


def _box(points: tuple[tuple[float, float], ...]) -> list[float]:
    (x0, y0), (x1, y1) = points
    return [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
