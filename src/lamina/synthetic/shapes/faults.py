"""A fault: a surface in rock along which one side has slid, and how to slide it back.

Rock is described backwards: where was that which is here now? So a volume of any size is made
point by point, and the place of the surface is known exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Place = tuple[Points, Points, Points]
"""Coordinates z, y (both level) and x (down), in voxels; arrays of equal shape."""

LEAST_THROW = 1.0
"""Throw from which a fault is a fault, in voxels: its tips beyond are no label."""

_MOST_THROW = 40.0  # voxels, as Wu et al. 2019


@dataclass(frozen=True)
class Fault:
    """A surface of one direction of strike; the side above it (the hanging wall) has moved.

    With s along the strike, n level across it, and d down, all from ``middle``, the surface is
    n = bend s^2 / 2 + f(d) with f(d) = (d + listric d^2 / (2 height)) / tan(dip): a plane where
    ``bend`` and ``listric`` are 0. What is off the surface slides along its parallels, so that
    both walls stay in touch: down by the throw, and across by what f asks for.
    """

    middle: tuple[float, float, float]
    """Where the throw is greatest: z, y, x in voxels."""

    strike: float
    """Angle of the strike from z towards y, in radians; the surface dips to its left."""

    dip: float
    """Angle below level at ``middle``, in radians; above 0, below pi / 2."""

    throw: float
    """Greatest throw, in voxels down; negative for a reverse fault."""

    along: float
    """Deviation of the Gaussian by which the throw falls along the strike, in voxels."""

    down: float
    """The same along the depth; for a growing fault, half the depth over which it rises."""

    reach: float = math.inf
    """Voxels away from the surface in which the hanging wall's movement falls to 1/e."""

    growing: bool = False
    """The throw rises in a line from the upper to the lower end, in place of a Gaussian."""

    listric: float = 0.0
    """How much flatter the surface is by ``height`` voxels deeper, as a factor."""

    height: float = 1.0
    """Unit of ``listric``, in voxels."""

    bend: float = 0.0
    """Curvature along the strike, in 1 / voxels."""

    def undo(self, place: Place) -> tuple[Place, NDArray[np.bool_]]:
        """Return where points were before this fault, and which are within 1 voxel of it.

        The distance is measured at right angles to the surface, so that the label is one or two
        voxels thick; points where the throw is below ``LEAST_THROW`` have none.
        """
        z, y, x = place
        cos, sin = math.cos(self.strike), math.sin(self.strike)
        s = (z - self.middle[0]) * cos + (y - self.middle[1]) * sin
        n = (y - self.middle[1]) * cos - (z - self.middle[0]) * sin
        d = x - self.middle[2]
        off = n - self.bend * s**2 / 2 - self._across(d)
        throw = self.throw_at(s, d)
        steep = np.sqrt(1 + self._slope(d) ** 2 + (self.bend * s) ** 2)
        near = (np.abs(off) < steep) & (np.abs(throw) >= LEAST_THROW)
        fallen = np.where(off > 0, throw * np.exp(-np.abs(off) / self.reach), 0.0)
        across = self._across(d) - self._across(d - fallen)
        return (z + across * sin, y - across * cos, x - fallen), near

    def throw_at(self, s: Points, d: Points) -> Points:
        """Return the throw on the surface, in voxels, at ``s`` along the strike and ``d`` down."""
        if self.growing:
            depth = np.clip(0.5 + 0.5 * d / self.down, 0, 1)
        else:
            depth = np.exp(-((d / self.down) ** 2) / 2)
        return np.asarray(self.throw * depth * np.exp(-((s / self.along) ** 2) / 2))

    def _across(self, d: Points) -> Points:
        return (d + self.listric * d**2 / (2 * self.height)) / math.tan(self.dip)

    def _slope(self, d: Points) -> Points:
        return (1 + self.listric * d / self.height) / math.tan(self.dip)


def draw_faults(shape: tuple[int, int, int], chance: np.random.Generator) -> tuple[Fault, ...]:
    """Return faults, oldest first, most along one strike and many in conjugates.

    Three to eight for a width of 128 voxels and more, fewer for less.
    """
    wide, strike = max(shape[:2]), chance.uniform(0, math.pi)
    least, most = min(max(wide // 40, 1), 3), min(2 + wide // 20, 8)
    return tuple(_draw(shape, chance, strike) for _ in range(chance.integers(least, most + 1)))


def _draw(shape: tuple[int, int, int], chance: np.random.Generator, strike: float) -> Fault:
    wide, tall = max(shape[:2]), shape[2]
    own = strike + chance.normal(0, math.radians(15)) + math.pi * chance.integers(2)
    low, high = 3.0, max(min(0.12 * tall, _MOST_THROW), 4.0)
    throw = math.exp(chance.uniform(math.log(low), math.log(high)))
    curved, bent, reverse = chance.random(3) < (0.5, 0.5, 0.15)
    return Fault(
        middle=(
            chance.uniform(0.05, 0.95) * shape[0],
            chance.uniform(0.05, 0.95) * shape[1],
            chance.uniform(0.2, 0.8) * tall,
        ),
        strike=own,
        dip=math.radians(chance.uniform(50, 85)),
        throw=-throw if reverse else throw,
        along=chance.uniform(0.25, 0.8) * wide,
        down=chance.uniform(0.3, 0.8) * tall,
        reach=chance.uniform(0.5, 2) * wide,
        growing=bool(chance.random() < 0.3),
        listric=chance.uniform(0.3, 1.0) if curved else 0.0,
        height=tall,
        bend=chance.uniform(-0.5, 0.5) / wide if bent else 0.0,
    )
