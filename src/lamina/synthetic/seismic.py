"""Seismic volumes with faults, modelled as Wu et al. 2019 did for FaultSeg3D (Geophysics 84).

Axes are z (inline), y (crossline) and x (samples, downwards), as in the competition's volumes of
(300, 300, 1259) (FAULT-1). Every voxel is computed backwards, youngest event first:

1. the faults are undone one after another (``faulting``): planes, or surfaces curved along their
   depth (listric) or strike, with a throw that falls towards their tips,
2. the folds are undone (``strata``); what is left is the depth of flat layers, the relative
   geologic time, at which the reflectivity is looked up,
3. each trace is convolved with a Ricker wavelet, *after* faulting as in the paper: the echo of a
   boundary then reaches across a fault as it does in a real image, where it would else be cut,
4. noise is added, half of it white, half of it in the band of the wavelet.

Labels are where voxels lie within one voxel of a fault whose throw is one voxel or more there.
Values are in units of the echoes' own root mean square. One section of y and x is in memory at a
time, so that volumes may be of any size.

========= ==========================================================================
what      drawn evenly from
========= ==========================================================================
faults    3 to 8 (fewer below 128 voxels of width), dips of 50 to 85 degrees, 3 to 40
          voxels of throw (12 % of the depth at most, in the logarithm), 15 % reverse,
          half listric, half bent
folds     2 to 6 Gaussian bumps of up to 8 % of the depth, and a slope of up to 12 %
layers    a boundary at 25 to 70 % of the samples, 6 % of them thrice as strong
wavelet   peak at 0.05 to 0.13 cycles per sample
noise     8 to 60 % of the echoes (in the logarithm)
========= ==========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lamina.files import replacing
from lamina.seeding import rng
from lamina.synthetic.shapes.faults import Fault, Place, draw_faults
from lamina.synthetic.shapes.strata import Folds, Strata, Wavelet, draw_folds

Shape = tuple[int, int, int]

LEAST_SIDE = 8


@dataclass(frozen=True)
class Section:
    """One section of a survey, each array (Y, X)."""

    noisy: NDArray[np.float32]
    clean: NDArray[np.float32]
    faults: NDArray[np.bool_]
    time: NDArray[np.float32]
    """Relative geologic time: the depth of the layer while layers were flat, in voxels."""


class Survey:
    """The rock below one place, drawn once; its sections are computed when they are asked for."""

    def __init__(self, index: int, *, seed: int = 0, shape: Shape = (128, 128, 128)) -> None:
        """Draw faults, folds, layers, wavelet and noise.

        Args:
            index: Which survey, counted from 0.
            seed: Which endless series of surveys.
            shape: Inlines, crosslines and samples; at least 8 each.

        Raises:
            ValueError: a side is below 8 voxels.
        """
        if min(shape) < LEAST_SIDE:
            raise ValueError(f"a survey needs at least {LEAST_SIDE} voxels a side, not {shape}")
        chance = rng(seed, "seismic", index)
        self.shape, self._noise = shape, (seed, "seismic noise", index)
        self.faults: tuple[Fault, ...] = draw_faults(shape, chance)
        self.folds: Folds = draw_folds(shape, chance)
        self.layers = Strata(shape[2], chance)
        self.wavelet = Wavelet(chance.uniform(0.05, 0.13))
        self._unit = float(np.sqrt(np.mean(self.wavelet.over(self.layers.series) ** 2)))
        self.noise = math.exp(chance.uniform(math.log(0.08), math.log(0.6)))

    def section(self, inline: int) -> Section:
        """Return the section at z = ``inline``; the same whatever was asked for before."""
        half, (_, rows, columns) = self.wavelet.half, self.shape
        y, x = np.mgrid[:rows, -half : columns + half].astype(np.float64)
        place: Place = (np.full(y.shape, float(inline)), y, x)
        faults = np.zeros(y.shape, np.bool_)
        for fault in reversed(self.faults):
            place, near = fault.undo(place)
            faults |= near
        time = self.folds.time(place)
        clean = self.wavelet.over(self.layers.at(time)) / self._unit
        noisy = clean + self.noise * self._hiss(inline)
        inside = (slice(None), slice(half, half + columns))
        return Section(
            noisy.astype(np.float32),
            clean.astype(np.float32),
            faults[inside],
            time[inside].astype(np.float32),
        )

    def sections(self) -> Iterator[Section]:
        """Yield all sections, from the first inline to the last."""
        return map(self.section, range(self.shape[0]))

    def _hiss(self, inline: int) -> NDArray[np.float64]:
        """Return noise of deviation 1, (Y, X): white and in the band of the wavelet."""
        chance, (_, rows, columns) = rng(*self._noise, inline), self.shape
        band = self.wavelet.over(
            chance.standard_normal((rows, columns + 2 * self.wavelet.half))
        ) / np.linalg.norm(self.wavelet.samples)
        white = chance.standard_normal((rows, columns))
        return np.asarray((white + band) / math.sqrt(2))


def volume(
    index: int, *, seed: int = 0, shape: Shape = (128, 128, 128)
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return one volume and its faults, each (Z, Y, X); the same for equal arguments.

    Arguments and errors are those of ``Survey``.
    """
    image, faults = np.empty(shape, np.float32), np.empty(shape, np.bool_)
    for z, section in enumerate(Survey(index, seed=seed, shape=shape).sections()):
        image[z], faults[z] = section.noisy, section.faults
    return image, faults


def pair(
    index: int, *, seed: int = 0, shape: Shape = (128, 128, 128)
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the volume of ``volume`` and the same without noise, each (Z, Y, X) float32.

    Arguments and errors are those of ``Survey``.
    """
    noisy, clean = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for z, section in enumerate(Survey(index, seed=seed, shape=shape).sections()):
        noisy[z], clean[z] = section.noisy, section.clean
    return noisy, clean


def write_faults(
    folder: Path, *, count: int, seed: int = 0, shape: Shape = (128, 128, 128), first: int = 0
) -> Path:
    """Write volumes in the layout of the competition, a folder for each (FAULT-1).

    ``seismic_00000/seismicCubes_00000.npy`` (float32) and ``seismic_00000/fault_00000.npy``
    (uint8, 0 and 1) and so on. A section at a time is in memory.

    Args:
        folder: Where to write; made if missing.
        count: Number of volumes.
        seed: As for ``volume``.
        shape: Inlines, crosslines and samples.
        first: Index of the first volume; volumes from another first are unseen ones.

    Returns:
        ``folder``.
    """
    for index in range(first, first + count):
        survey, number = Survey(index, seed=seed, shape=shape), f"{index:05d}"
        below = folder / f"seismic_{number}"
        with (
            replacing(below / f"seismicCubes_{number}.npy") as image,
            replacing(below / f"fault_{number}.npy") as label,
        ):
            _begin(image, shape, np.float32)
            _begin(label, shape, np.uint8)
            for section in survey.sections():
                image.write(section.noisy.astype("<f4", copy=False).tobytes())
                label.write(section.faults.astype(np.uint8).tobytes())
    return folder


def write_pairs(
    folder: Path, *, count: int, seed: int = 0, shape: Shape = (128, 128, 128), first: int = 0
) -> Path:
    """Write volumes with and without noise, a folder for each pair (NOISE-1).

    ``pair_00000/seismic_w_noise_vol_00000.npy`` and ``pair_00000/seismicCubes_RFC_00000.npy``
    (both float32) and so on, each fully transposed: time, crossline, inline. ``shape`` is that of
    ``volume``: inlines, crosslines and samples; other arguments are those of ``write_faults``.
    """
    for index in range(first, first + count):
        survey, number = Survey(index, seed=seed, shape=shape), f"{index:05d}"
        below = folder / f"pair_{number}"
        with (
            replacing(below / f"seismic_w_noise_vol_{number}.npy") as noisy,
            replacing(below / f"seismicCubes_RFC_{number}.npy") as clean,
        ):
            _begin(noisy, shape[::-1], np.float32, fortran=True)
            _begin(clean, shape[::-1], np.float32, fortran=True)
            for section in survey.sections():
                noisy.write(section.noisy.astype("<f4", copy=False).tobytes())
                clean.write(section.clean.astype("<f4", copy=False).tobytes())
    return folder


def _begin(
    stream: IO[bytes], shape: Shape, dtype: type[np.generic], *, fortran: bool = False
) -> None:
    descr: Any = np.lib.format.dtype_to_descr(np.dtype(dtype).newbyteorder("<"))
    header = {"descr": descr, "fortran_order": fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
