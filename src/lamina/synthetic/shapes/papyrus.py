"""One sheet of papyrus: where it lies, how thick it is, how its fibres run, what is torn off.

Everything is a function of the place, so that a sheet of any area is computed a few rows at a
time: slow changes are sums of waves, and fine ones repeat after 1024 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.synthetic.shapes.random_fields import smooth_noise

Shape = tuple[int, int]
Field = NDArray[np.float32]

_REPEAT = 1024  # pixels after which fine structure repeats
_FIBRES = 8  # sections through the fibres, half of them of each direction
_THICK = 2.5  # of a fibre, in layers
_HOLE = 70_000  # pixels of sheet for each hole


@dataclass(frozen=True)
class Waves:
    """A sum of plane waves, of deviation 1 and never beyond about 2."""

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    phases: NDArray[np.float64]

    @classmethod
    def draw(cls, chance: np.random.Generator, length: tuple[float, float]) -> Waves:
        """Return six waves of all directions.

        Args:
            chance: Where they come from.
            length: The shortest and the longest wave, in pixels.
        """
        count = 6
        angle = np.pi * (np.arange(count) + chance.random(count)) / count
        pace = 2 * np.pi / chance.uniform(*length, count)
        phases = chance.uniform(0, 2 * np.pi, count)
        return cls(pace * np.sin(angle), pace * np.cos(angle), phases)

    def at(self, rows: slice, columns: int) -> Field:
        """Return the sum at some rows and the first columns, (rows, columns)."""
        y = np.arange(rows.start, rows.stop)[:, None, None]
        x = np.arange(columns)[:, None]
        # cos(a + b) by the product rule: waves times rows and waves times columns only.
        down, across = y * self.rows + self.phases, x * self.columns
        total = np.cos(down)[:, 0] @ np.cos(across).T - np.sin(down)[:, 0] @ np.sin(across).T
        # tanh holds back the rare places where all waves meet.
        held: Field = (2 * np.tanh(total / np.sqrt(len(self.phases) / 2) / 2)).astype(np.float32)
        return held


class Fibres:
    """Crossed strips of pith: those of the upper half run along x, those of the lower along y."""

    def __init__(self, shape: Shape, chance: np.random.Generator) -> None:
        """Draw the fibres of a sheet of ``shape`` rows and columns."""
        self._shape = (min(shape[0], _REPEAT), min(shape[1], _REPEAT))
        half = _FIBRES // 2
        sigmas = [(1.3, 24.0)] * half + [(24.0, 1.3)] * half
        self._planes = np.stack(
            [smooth_noise(self._shape, sigma, chance) for sigma in sigmas]
        ).astype(np.float32)

    def over(self, rows: slice, columns: int) -> Field:
        """Return the sections through the fibres at some rows, (n + 1, rows, columns).

        The first section stands again at the end.
        """
        sections = wrapped(self._planes, rows, columns)
        return np.concatenate([sections, sections[:1]])

    @staticmethod
    def at(sections: Field, depth: Field) -> Field:
        """Return how dense fibres are at a depth, (rows, columns): mean 0, deviation about 1.

        Args:
            sections: What ``over`` returned for these rows.
            depth: Layers below the middle of the sheet, (rows, columns). Fibres repeat beyond
                the sheet.
        """
        place = np.mod(depth / _THICK + _FIBRES // 2, _FIBRES)
        above = np.minimum(place.astype(np.intp), _FIBRES - 1)
        share = place - above
        flat = sections.reshape(len(sections), -1)
        pixel = above.ravel() * flat.shape[1] + np.arange(flat.shape[1])
        every = flat.ravel()
        low = every.take(pixel).reshape(depth.shape)
        high = every.take(pixel + flat.shape[1]).reshape(depth.shape)
        dense: Field = low + share.astype(np.float32) * (high - low)
        return dense


class Outline:
    """Which pixels hold papyrus: a ragged outline, and holes in it."""

    def __init__(self, shape: Shape, chance: np.random.Generator) -> None:
        """Draw the edge and the holes of a sheet of ``shape`` rows and columns."""
        self.shape = shape
        size = (min(shape[0], _REPEAT), min(shape[1], _REPEAT))
        self._ragged = smooth_noise(size, (5, 5), chance).astype(np.float32)
        self._wide = Waves.draw(chance, (0.5 * min(shape), 1.5 * min(shape)))
        count = max(2, shape[0] * shape[1] // _HOLE)
        self._holes = np.column_stack(
            [
                chance.uniform(0.15, 0.85, (count, 2)) * shape,
                chance.uniform(0.25, 1, count) * min(22.0, 0.08 * min(shape)),
            ]
        )

    def at(self, rows: slice) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return what lies within the edge, and what of it is no hole, each (rows, columns)."""
        columns = self.shape[1]
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
        x = np.arange(columns, dtype=np.float32)
        ragged = wrapped(self._ragged[None], rows, columns)[0]
        sides = (y / (self.shape[0] - 1), x / (columns - 1))
        away = sum((2 * side - 1) ** 6 for side in sides) ** (1 / 6)
        within = away + 0.04 * self._wide.at(rows, columns) + 0.015 * ragged < 0.92
        whole = within.copy()
        for hole_y, hole_x, radius in self._holes:
            if rows.start - 2 * radius < hole_y < rows.stop + 2 * radius:
                whole &= np.hypot(y - hole_y, x - hole_x) > radius * (1 + 0.25 * ragged)
        return within, whole


def wrapped(fields: Field, rows: slice, columns: int) -> Field:
    """Return rows and columns of fields (n, H, W) that repeat, (n, rows, columns)."""
    down = np.arange(rows.start, rows.stop) % fields.shape[1]
    chosen_rows = fields[:, down]
    if columns == fields.shape[2]:
        return chosen_rows
    return chosen_rows[:, :, np.arange(columns) % fields.shape[2]]
