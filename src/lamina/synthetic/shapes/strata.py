"""Flat layers, how they were folded, and the wavelet that makes an echo of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lamina.synthetic.shapes.faults import Place, Points

_FINE = 8  # entries of the table per voxel


@dataclass(frozen=True)
class Folds:
    """Bumps and a slope; the deeper, the stronger the bumps (Wu et al. 2019, equations 1 to 3)."""

    bumps: NDArray[np.float64]
    """(n, 4): z, y of the middle, Gaussian deviation and height, all in voxels."""

    slope: tuple[float, float]
    """Voxels down per voxel along z and y."""

    tall: float
    """Depth of the volume, at which bumps have their height; at 0 they have a quarter of it."""

    def time(self, place: Place) -> Points:
        """Return the depth that points had when layers were flat: the relative geologic time."""
        z, y, x = place
        bumps = np.zeros(np.broadcast(z, y, x).shape)
        for middle_z, middle_y, sigma, height in self.bumps:
            away = (z - middle_z) ** 2 + (y - middle_y) ** 2
            bumps += height * np.exp(away / (-2 * sigma**2))
        return np.asarray(
            x + (0.25 + 0.75 * x / self.tall) * bumps + self.slope[0] * z + self.slope[1] * y
        )


def draw_folds(shape: tuple[int, int, int], chance: np.random.Generator) -> Folds:
    """Return two to six bumps and a slope; no layer is folded over itself."""
    wide, tall = max(shape[:2]), shape[2]
    count = int(chance.integers(2, 7))
    sigma = chance.uniform(0.12, 0.4, count) * wide
    # A slope of 0.25 at most where a bump is steepest, and never more than 8 % of the depth.
    height = chance.uniform(-1, 1, count) * np.minimum(0.4 * sigma, 0.08 * tall)
    middles = chance.uniform(0, 1, (count, 2)) * shape[:2]
    slope = chance.uniform(-0.12, 0.12, 2)
    bumps = np.column_stack([middles, sigma, height])
    return Folds(bumps, (float(slope[0]), float(slope[1])), float(tall))


class Strata:
    """Reflectivity by relative geologic time: echoes of boundaries, some of them strong.

    The series is band-limited (its Fourier series is evaluated between the voxels as well), so
    that no aliases arise where folds stretch it. It repeats after at least twice the depth.
    """

    def __init__(self, tall: int, chance: np.random.Generator) -> None:
        length = 1 << (2 * tall + 128).bit_length()
        there = chance.random(length) < chance.uniform(0.25, 0.7)
        strong = np.where(chance.random(length) < 0.06, 3.0, 1.0)
        self.series: NDArray[np.float64] = there * strong * chance.standard_normal(length)
        fine = np.fft.irfft(np.fft.rfft(self.series), _FINE * length) * _FINE
        self._table = np.append(fine, fine[0])

    def at(self, time: Points) -> NDArray[np.float64]:
        """Return the reflectivity at relative geologic times, in voxels."""
        place = np.mod(time, len(self.series)) * _FINE
        entry = np.minimum(place.astype(np.int64), len(self._table) - 2)
        rest = place - entry
        return np.asarray(self._table[entry] * (1 - rest) + self._table[entry + 1] * rest)


class Wavelet:
    """The Ricker wavelet (1 - 2a) exp(-a) with a = (pi f t)^2; its spectrum peaks at f."""

    def __init__(self, frequency: float) -> None:
        self.frequency = frequency
        self.half = math.ceil(1.3 / frequency)
        a = (np.pi * frequency * np.arange(-self.half, self.half + 1)) ** 2
        self.samples: NDArray[np.float64] = (1 - 2 * a) * np.exp(-a)

    def over(self, trace: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the convolution along the last axis, shorter by ``half`` at either end."""
        size = trace.shape[-1]
        length = -(-size // 16) * 16
        both = np.fft.rfft(trace, length) * np.fft.rfft(self.samples, length)
        return np.asarray(np.fft.irfft(both, length)[..., 2 * self.half : size])
