"""Crops of any size around the pixels of masks."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from lamina.data.case import Case
from lamina.data.network_input.sample import Draw
from lamina.data.samplers.base import Sampler
from lamina.data.samplers.crop_placement import centred
from lamina.errors import DataError
from lamina.volume import read_all

Sides = tuple[int, ...]

_TRIES = 64  # centres drawn for each wanted, before the mask is searched through


class InMask(Sampler):  # INK-12, INK-13
    """Cases by the area of their valid pixels, each time around one of these.

    An epoch has the sum over cases of ceil(valid area / area of a sample) draws. Cases are drawn
    with replacement, each with its share of the whole valid area. The centre of a crop is uniform
    among the valid pixels that are at least half a crop from the border; where there are none,
    among all that are nearest to that. Only the centre has to be valid.
    """

    kind: Literal["in_mask"] = "in_mask"

    of_blocks: ClassVar[bool] = False

    scale: tuple[float, float] = (1.0, 1.0)  # INK-13: [0.5, 2]
    """Minimum and maximum side of a crop, as a multiple of the sample's; it is resized to that as a
    part of the one warp."""

    aspect: tuple[float, float] = (1.0, 1.0)  # INK-13: [0.9, 1.1]
    """Minimum and maximum further multiple of its columns alone."""

    count: int | None = Field(default=None, ge=1)
    """Draws per epoch; null: as the areas say."""

    focus: float = Field(default=0.0, ge=0, le=1)
    """Probability that the centre is a valid pixel of the target too, where the case has any."""

    @field_validator("scale", "aspect")
    @classmethod
    def _ranges_rise(cls, pair: tuple[float, float]) -> tuple[float, float]:
        if not 0 < pair[0] <= pair[1]:
            raise ValueError(f"{list(pair)} must be two positive numbers, the smaller one first")
        return pair

    def draws(
        self,
        cases: Sequence[Case],
        *,
        size: Sides,
        batch: int,
        epoch: int,
        rng: np.random.Generator,
    ) -> list[Draw]:
        """Return the crops of one epoch.

        Raises:
            DataError: no case has a valid pixel.
        """
        areas = np.array([mask_area(case) for case in cases], np.float64)
        if not areas.any():
            raise DataError(f"none of the {len(cases)} training cases has a pixel that counts")
        total = self.count or self.length(areas, size)
        numbers = rng.choice(len(cases), total, p=areas / areas.sum())
        sides = [self._sides(size, rng) for _ in range(total)]
        focused = rng.random(total) < self.focus
        places: dict[int, list[int]] = defaultdict(list)
        for place, number in enumerate(numbers.tolist()):
            places[number].append(place)
        found: dict[int, Draw] = {}
        for number in sorted(places):  # each mask is held once, and none beside another
            here = places[number]
            wanted = [(sides[place], bool(focused[place])) for place in here]
            centres = _centres(cases[number], wanted, rng)
            for place, centre in zip(here, centres, strict=True):
                origin = "target" if focused[place] else "mask"
                found[place] = Draw(number, centred(centre, size), origin, sides[place])
        return [found[place] for place in range(total)]

    def length(self, areas: Sequence[float] | NDArray[np.float64], size: Sides) -> int:
        """Return the draws of an epoch of cases with these valid areas, in pixels (INK-12)."""
        return sum(math.ceil(area / math.prod(size)) for area in areas)

    def _sides(self, size: Sides, rng: np.random.Generator) -> Sides:
        scale, aspect = rng.uniform(*self.scale), rng.uniform(*self.aspect)
        rows, columns = size
        return max(int(rows * scale), 1), max(int(columns * scale * aspect), 1)


def mask_area(case: Case) -> float:
    """Return the number of valid pixels; told by ``facts["mask_area"]`` where it is known."""
    if "mask_area" in case.facts:
        return float(case.facts["mask_area"])
    if case.valid is None:
        return math.prod(case.image.shape)
    return int(np.count_nonzero(read_all(case.valid)))


def _centres(
    case: Case, wanted: Sequence[tuple[Sides, bool]], rng: np.random.Generator
) -> list[Sides]:
    """Return row and column of the middle of each crop, given its sides and whether on a target."""
    mask = None if case.valid is None else read_all(case.valid)[0] != 0
    target = _target(case, mask) if any(focused for _, focused in wanted) else None
    target = mask if target is None else target
    return [
        _centre(target if focused else mask, case.image.shape, sides, rng)
        for sides, focused in wanted
    ]


def _target(case: Case, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return the valid pixels of any class; None where there are none."""
    if case.target is None or case.facts.get("classes") == "":
        return None
    target: NDArray[np.bool_] = (read_all(case.target) != 0).any(0)
    if mask is not None:
        target &= mask
    return target if target.any() else None


def _centre(
    mask: NDArray[np.bool_] | None, shape: Sequence[int], sides: Sides, rng: np.random.Generator
) -> Sides:
    """Return a valid pixel, far enough from the border for a crop of ``sides`` where that can be.

    Drawing until a pixel is valid is uniform among the valid ones, and reads next to nothing.
    """
    rooms = [_room(whole, side) for whole, side in zip(shape, sides, strict=True)]
    low, high = [first for first, _ in rooms], [stop for _, stop in rooms]
    if mask is None:
        row, column = rng.integers(low, high)
        return int(row), int(column)
    tries = rng.integers(low, high, (_TRIES, 2))
    valid = np.flatnonzero(mask[tries[:, 0], tries[:, 1]])
    if len(valid):
        row, column = tries[valid[0]]
        return int(row), int(column)
    inside = mask[low[0] : high[0], low[1] : high[1]]
    pixels = np.flatnonzero(inside)
    if len(pixels):
        row, column = divmod(int(pixels[rng.integers(len(pixels))]), inside.shape[1])
        return low[0] + row, low[1] + column
    return _nearest(mask, low, high, rng)


def _nearest(
    mask: NDArray[np.bool_], low: Sequence[int], high: Sequence[int], rng: np.random.Generator
) -> Sides:
    """Return a valid pixel moved to where a crop around it fits: all are too near the border."""
    pixels = np.flatnonzero(mask)
    place = divmod(int(pixels[rng.integers(len(pixels))]), mask.shape[1])
    row, column = (min(max(at, a), b - 1) for at, a, b in zip(place, low, high, strict=True))
    return row, column


def _room(whole: int, side: int) -> tuple[int, int]:
    """Return the first centre and the one after the last, where a crop stays inside.

    A crop of side n around pixel c covers c - n // 2 to c - n // 2 + n. Where none stays inside
    the middle is the only centre.
    """
    if side > whole:
        return whole // 2, whole // 2 + 1
    return side // 2, whole - side + side // 2 + 1
