"""The plane that a set of voxels lies in: centre, normal, dip and azimuth.

Axes are in stored order; one of them points down. Lengths are in the units of the spacing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.geometry.components.slabs import ComponentMoments

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Grid:
    """Where voxels lie in space."""

    spacing: Triple = (1.0, 1.0, 1.0)
    """Distance from voxel to voxel along each axis."""

    origin: Triple = (0.0, 0.0, 0.0)
    """Place of the centre of voxel (0, 0, 0)."""

    down: int = 2
    """Number of the axis that points down."""

    def places(self, voxels: NDArray[Any]) -> NDArray[np.float64]:
        """Return the places (n, 3) of voxels (n, 3)."""
        return np.asarray(voxels, np.float64) * self.spacing + self.origin


@dataclass(frozen=True)
class FittedPlane:
    """A plane with its directions; ``along``, ``dipping`` and ``normal`` are unit vectors."""

    centre: NDArray[np.float64]
    normal: NDArray[np.float64]
    """Points up, or level where the plane is vertical."""

    along: NDArray[np.float64]
    """Level, in the plane: the strike. Looking along it, the plane goes down to one's right
    where axes are read as north, east and down."""

    dipping: NDArray[np.float64]
    """In the plane and square to the strike: where water would run."""

    dip: float
    """Angle between the plane and the level, 0 to 90 degrees."""

    azimuth: float
    """Level direction in which the plane goes down, 0 to 360 degrees from the first level axis
    towards the second."""

    rms: float
    """Root of the mean squared distance of voxels from the plane."""

    @property
    def strike(self) -> float:
        """Direction of ``along``: the azimuth less 90 degrees, 0 to 360."""
        return (self.azimuth - 90) % 360


def centre_of(moments: ComponentMoments, grid: Grid) -> NDArray[np.float64]:
    """Return the mean place of a part's voxels."""
    mean = [total / moments.voxels for total in moments.sums]
    return grid.places(np.array(mean))


def plane_of(moments: ComponentMoments, grid: Grid) -> FittedPlane | None:
    """Return the plane with the least squared distances, or None where voxels lie in a line.

    The normal is the direction in which places vary least (principal components; Pearson 1901).
    """
    values, vectors = np.linalg.eigh(_covariance(moments, grid))
    if values[1] <= 1e-9 * values[2]:  # a point, or a line that any plane turns around
        return None
    level = [axis for axis in range(3) if axis != grid.down]
    normal = np.where(np.abs(vectors[:, 0]) < 1e-12, 0.0, vectors[:, 0])
    north, east, down = (float(normal[axis]) for axis in (*level, grid.down))
    # up is against the axis; a vertical plane has no up, and dips to below 180 degrees by choice
    sign = -math.copysign(1, down) if down else math.copysign(1, east or north)
    normal = normal * sign + 0.0  # no negative zeros
    north, east, down = (float(normal[axis]) for axis in (*level, grid.down))
    dip = math.degrees(math.atan2(math.hypot(north, east), abs(down)))
    angle = math.atan2(east, north)  # an upward normal leans to where the plane goes down
    along, dipping = np.zeros(3), np.zeros(3)
    along[level] = math.sin(angle), -math.cos(angle)
    dipping[level] = math.cos(angle), math.sin(angle)
    dipping *= math.cos(math.radians(dip))
    dipping[grid.down] = math.sin(math.radians(dip))
    rms = math.sqrt(max(float(values[0]), 0.0))
    azimuth = math.degrees(angle) % 360
    return FittedPlane(centre_of(moments, grid), normal, along, dipping, dip, azimuth, rms)


def _covariance(moments: ComponentMoments, grid: Grid) -> NDArray[np.float64]:
    """Return the covariance (3, 3) of places, from whole numbers up to the last division."""
    n, sums = moments.voxels, moments.sums
    covariance = np.empty((3, 3))
    pairs = [(i, j) for i in range(3) for j in range(i, 3)]
    for (i, j), product in zip(pairs, moments.products, strict=True):
        exact = (n * product - sums[i] * sums[j]) / n**2
        covariance[i, j] = covariance[j, i] = exact * grid.spacing[i] * grid.spacing[j]
    return covariance
