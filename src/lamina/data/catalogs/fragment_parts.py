"""One fragment cut into several that count as different ones (INK-11)."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator

from lamina.data.targets.bitmask import Bits
from lamina.errors import DataError
from lamina.geometry.region import Region

LETTERS = string.ascii_lowercase


def _rectangle(
    box: tuple[float, float, float, float],
) -> tuple[float, float, float, float]:
    top, bottom, left, right = box
    if not (0 <= top < bottom and 0 <= left < right):
        raise ValueError(
            f"{list(box)} is not a rectangle; a box is [first row, last row, first column, "
            "last column], the last ones excluded"
        )
    return box


Box = Annotated[tuple[float, float, float, float], AfterValidator(_rectangle)]
"""First and last row, first and last column, the last ones excluded: shares of the sides where
none is above 1, else pixels."""

Parts = Literal["equal_area"] | tuple[Box, ...]
"""How a fragment is cut: into three of equal mask area, or by rectangles."""


def parts_of(parts: Parts, mask: Bits, name: str) -> dict[str, Region]:
    """Return the parts of a fragment by the letters a, b, c ... that follow its name.

    ``equal_area``: a is the upper third of the mask's area over the whole width; what is below
    is cut from top to bottom into b and c of equal area, each cut at the nearest row or column.

    Args:
        parts: How it is cut.
        mask: Its papyrus.
        name: What messages call it.

    Raises:
        DataError: a rectangle leaves the fragment or overlaps another, there are more than
            letters, or the mask is too small to be cut.
    """
    boxes = _equal(mask, name) if parts == "equal_area" else _rectangles(parts, mask.shape, name)
    return dict(zip(LETTERS, boxes, strict=False))


def _equal(mask: Bits, name: str) -> list[Region]:
    rows, columns = mask.shape
    per_row = np.zeros(rows, np.int64)
    for row in range(rows):
        per_row[row] = mask.area(Region((row, 0), (row + 1, columns)))
    below = _cut(per_row, 1 / 3)
    per_column = np.zeros(columns, np.int64)
    for row in range(below, rows):
        per_column += mask.read(Region((row, 0), (row + 1, columns)))[0, 0]
    right = _cut(per_column, 1 / 2)
    if not 0 < below < rows or not 0 < right < columns:
        raise DataError(f"{name}: its mask is too small to be cut into three of equal area")
    return [
        Region((0, 0), (below, columns)),
        Region((below, 0), (rows, right)),
        Region((below, right), (rows, columns)),
    ]


def _cut(areas: np.ndarray[tuple[int], np.dtype[np.int64]], share: float) -> int:
    """Return how many of the first rows hold nearest to a share of all."""
    before = np.concatenate([[0], np.cumsum(areas)])
    return int(np.abs(before - share * before[-1]).argmin())


def _rectangles(boxes: Sequence[Box], shape: tuple[int, ...], name: str) -> list[Region]:
    if len(boxes) > len(LETTERS):
        raise DataError(f"{name}: is cut into {len(boxes)} parts; {len(LETTERS)} at most")
    found = [_pixels(box, shape) for box in boxes]
    for number, (box, region) in enumerate(zip(boxes, found, strict=True)):
        if not region.within(shape) or min(region.shape) < 1:
            raise DataError(
                f"{name}: part {LETTERS[number]} {list(box)} is {region}, and the fragment has "
                f"{shape[0]} rows and {shape[1]} columns; set data.parts to fit"
            )
        for other in range(number):
            if min(region.clip_to(found[other]).shape) > 0:
                raise DataError(
                    f"{name}: parts {LETTERS[other]} and {LETTERS[number]} overlap; set data.parts "
                    "so that no pixel is in two"
                )
    return found


def _pixels(box: Box, shape: tuple[int, ...]) -> Region:
    top, bottom, left, right = box
    if max(box) <= 1:
        rows, columns = shape
        # A thousandth of a pixel more, since 0.29 of 100 is 28.999999999999996.
        top, bottom = (int(share * rows + 1e-3) for share in (top, bottom))
        left, right = (int(share * columns + 1e-3) for share in (left, right))
    return Region((int(top), int(left)), (int(bottom), int(right)))
