"""The four classes of defects as changes of grey, each with the mask a person would draw.

Every defect takes the shape of the strip, a generator, and where there is metal (H, W) bool;
it returns the change in grey levels (H, W) float64 and its mask (H, W) bool. Sizes are in
pixels of a strip of 128 rows and grow with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lamina.synthetic.shapes.random_fields import fade, smooth_noise

Grey = NDArray[np.float64]
Mask = NDArray[np.bool_]
Shape = tuple[int, int]


def pits(shape: Shape, chance: np.random.Generator, metal: Mask) -> tuple[Grey, Mask]:
    """Class 1: one to three groups of small dark pits."""
    unit = shape[0] / 128
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    depth = np.zeros(shape)
    for _ in range(chance.integers(1, 4)):
        row, column = _somewhere(metal, chance)
        for _ in range(chance.integers(8, 19)):
            y = row + chance.normal(0, 10 * unit)
            x = column + chance.normal(0, 14 * unit)
            radius = chance.uniform(1.6, 3.6) * unit
            near = _box(shape, (y, x), 3 * radius)
            far = np.hypot((rows[near] - y), (columns[near] - x) * chance.uniform(0.8, 1.2))
            pit = chance.uniform(24, 44) * fade((radius - far) / unit)
            depth[near] = np.maximum(depth[near], pit)
    return -depth, depth > 8


def cracks(shape: Shape, chance: np.random.Generator, metal: Mask) -> tuple[Grey, Mask]:
    """Class 2: one to three hairline cracks across the strip, each a little crooked."""
    unit = shape[0] / 128
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    depth, mask = np.zeros(shape), np.zeros(shape, np.bool_)
    for _ in range(chance.integers(1, 4)):
        row, column = _somewhere(metal, chance)
        half = chance.uniform(0.18, 0.45) * shape[0]
        crooked = smooth_noise((shape[0], 1), (5 * unit, 1), chance) * chance.uniform(0.5, 2) * unit
        middle = column + chance.uniform(-0.12, 0.12) * (rows - row) + crooked
        along = fade((half - abs(rows - row)) / (2 * unit))
        across = abs(columns - middle) / unit
        crack = chance.uniform(22, 40) * along * np.exp(-((across / 0.9) ** 2))
        depth = np.maximum(depth, crack)
        mask |= (across <= 2) & (along > 0.5)
    return -depth, mask


def scratches(shape: Shape, chance: np.random.Generator, metal: Mask) -> tuple[Grey, Mask]:
    """Class 3: a bundle of one to five long scratches along the strip, bright or dark."""
    unit = shape[0] / 128
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    change, mask = np.zeros(shape), np.zeros(shape, np.bool_)
    row, column = _somewhere(metal, chance)
    for _ in range(chance.integers(1, 6)):
        y, x = row + chance.normal(0, 14 * unit), column + chance.normal(0, 50 * unit)
        half = chance.uniform(20, 150) * unit
        wander = smooth_noise((1, shape[1]), (1, 40 * unit), chance) * chance.uniform(0, 2) * unit
        middle = y + chance.uniform(-0.03, 0.03) * (columns - x) + wander
        ragged = smooth_noise((1, shape[1]), (1, 6 * unit), chance)
        thick = chance.uniform(1, 3.5) * unit * (1 + 0.2 * ragged)
        # Thinner to the ends, like a spindle.
        spindle = np.sqrt(np.clip(1 - ((columns - x) / half) ** 2, 0, None))
        inside = (thick * spindle - abs(rows - middle)) / unit
        level = chance.uniform(16, 36) * (1 + 0.25 * smooth_noise(shape, (unit, 8 * unit), chance))
        scratch = level * fade(inside) * (spindle > 0)
        change += scratch if chance.random() < 0.5 else -scratch
        mask |= (inside > -0.5) & (spindle > 0)
    return change, mask


def patches(shape: Shape, chance: np.random.Generator, metal: Mask) -> tuple[Grey, Mask]:
    """Class 4: one or two big patches of torn, rough metal with a frayed edge."""
    unit = shape[0] / 128
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])
    inside = np.full(shape, -np.inf)
    for _ in range(chance.integers(1, 3)):
        row, column = _somewhere(metal, chance)
        tall, wide = chance.uniform(15, 35, 2) * unit
        frayed = 0.22 * smooth_noise(shape, (5 * unit, 8 * unit), chance)
        round_ = 1 - np.hypot((rows - row) / tall, (columns - column) / wide)
        inside = np.maximum(inside, (round_ + frayed) * min(tall, wide) / unit)
    rough = smooth_noise(shape, (1.6 * unit, 2.6 * unit), chance)
    level = chance.uniform(14, 24) * rough + chance.uniform(-14, 14)
    return level * fade(inside), inside > 0


DEFECTS: tuple[Callable[[Shape, np.random.Generator, Mask], tuple[Grey, Mask]], ...] = (
    pits,
    cracks,
    scratches,
    patches,
)
"""By class, from class 1."""


def _somewhere(metal: Mask, chance: np.random.Generator) -> tuple[int, int]:
    """Return a row and a column of metal."""
    place = int(chance.choice(np.flatnonzero(metal)))
    return place // metal.shape[1], place % metal.shape[1]


def _box(shape: Shape, middle: tuple[float, float], reach: float) -> tuple[slice, slice]:
    """Return the part of a strip within ``reach`` of a point; it may be empty."""
    first = [max(int(m - reach), 0) for m in middle]
    stop = [max(min(int(m + reach) + 2, n), 0) for m, n in zip(middle, shape, strict=True)]
    return slice(first[0], stop[0]), slice(first[1], stop[1])
