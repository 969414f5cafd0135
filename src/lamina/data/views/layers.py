"""Layers of a stack: files that are a volume together, and slices that are channels of an image.

A surface volume is a stack of layers along z. What is wanted is one image for all of them, so that
the stack is looked at as an image of two axes with a channel for each layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.file_stamp import stamp_of
from lamina.data.readers.tiff.volume import TIFF, TiffVolume
from lamina.errors import DataError, listed
from lamina.geometry.region import Region
from lamina.volume import (
    Crop,
    Volume,
    VolumeView,
    check_within,
    chunk_shape_of,
    values_stamp,
)


@dataclass(frozen=True)
class LayerFiles:
    """Images of one shape one upon another, ``"zyx"``; file i is the slice z = i.

    Only the files of the slices that are asked for are read.
    """

    folder: Path
    files: tuple[TiffVolume, ...]

    @property
    def name(self) -> str:
        """Path of the folder."""
        return str(self.folder)

    @property
    def axes(self) -> str:
        """Layers, rows, columns."""
        return "zyx"

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of files, rows and columns."""
        return (len(self.files), *self.files[0].shape)

    @property
    def channels(self) -> int:
        """Always 1."""
        return 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type."""
        return self.files[0].dtype

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """One layer, and of it a strip or tile."""
        return (1, *self.files[0].chunk_shape)

    def stamp(self) -> str:
        """Return a digest of the files' names, sizes and times."""
        return stamp_of(self.folder, [file.path for file in self.files])

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(1, *region.shape)``.

        Raises:
            ValueError: the region leaves the stack.
            DataError: a file is damaged, or changed since it was opened.
        """
        check_within(self, region)
        out = np.empty((1, *region.shape), self.dtype)
        inside = Region(region.start[1:], region.stop[1:])
        for place, number in enumerate(range(region.start[0], region.stop[0])):
            out[0, place] = self.files[number].read(inside)[0]
        return out


def open_layers(folder: Path) -> LayerFiles:
    """Open a folder of TIFF files, one for each layer, called by their numbers (INK-1).

    The first number need not be 0, but none may be missing between the first and the last.

    Raises:
        DataError: there is no such file, a name is no number, a layer is missing, or layers differ
            in shape or type; all such files are named.
    """
    paths = [
        path
        for path in sorted(folder.iterdir())
        if path.name.lower().endswith(TIFF.suffixes) and not path.name.startswith(".")
    ]
    if not paths:
        raise DataError(
            f"{folder}: no layer in it; needed are TIFF files called 00.tif, 01.tif ..."
        )
    numbers = _numbers(folder, paths)
    files = tuple(TiffVolume(numbers[number]) for number in sorted(numbers))
    _check_equal(folder, files)
    return LayerFiles(folder, files)


def _numbers(folder: Path, paths: Sequence[Path]) -> dict[int, Path]:
    problems = [f"{path.name}: is no number" for path in paths if not path.stem.isdecimal()]
    if problems:
        raise DataError(
            listed(f"{folder}: layers are called by numbers; move others away", problems)
        )
    by_number: dict[int, Path] = {}
    for path in paths:
        problems += [
            f"{by_number[n].name} and {path.name}" for n in [int(path.stem)] if n in by_number
        ]
        by_number[int(path.stem)] = path
    if problems:
        raise DataError(listed(f"{folder}: files are the same layer; keep one of each", problems))
    missing = sorted(set(range(min(by_number), max(by_number) + 1)) - by_number.keys())
    if missing:
        raise DataError(
            listed(
                f"{folder}: {len(missing)} layers are missing; add them", list(map(str, missing))
            )
        )
    return by_number


def _check_equal(folder: Path, files: Sequence[TiffVolume]) -> None:
    first = files[0]
    if first.axes != "yx" or first.channels != 1:
        raise DataError(
            f"{first.name}: has axes '{first.axes}' and {first.channels} channels; a layer is one "
            "grey image"
        )

    def kind(file: TiffVolume) -> tuple[object, ...]:
        return file.axes, file.channels, file.shape, file.dtype

    problems = [
        f"{file.path.name}: {file.shape} of {file.dtype}"
        for file in files
        if kind(file) != kind(first)
    ]
    if problems:
        raise DataError(
            listed(
                f"{folder}: {len(problems)} layers differ from {first.path.name}, {first.shape} of "
                f"{first.dtype}; save all alike",
                problems,
            )
        )


@dataclass(frozen=True)
class Layers(VolumeView):
    """Slices of a three-axis volume along its first axis as the channels of a two-axis one.

    Channel i is the slice ``first`` + i; only these are read, and only where a region asks.
    """

    first: int
    count: int

    def __post_init__(self) -> None:
        source = self.source
        if len(source.axes) != 3 or source.channels != 1:
            raise DataError(
                f"{source.name}: has axes '{source.axes}' and {source.channels} channels; layers "
                "are those of a volume of three axes and one channel"
            )
        if not 0 <= self.first < self.first + self.count <= source.shape[0]:
            raise DataError(
                f"{source.name}: has {source.shape[0]} layers, and asked for are those from "
                f"{self.first} to {self.first + self.count}, the last one excluded"
            )

    @property
    def name(self) -> str:
        """Name of the source with the layers."""
        axis = self.source.axes[0]
        return f"{self.source.name}[{axis}={self.first}:{self.first + self.count}]"

    @property
    def axes(self) -> str:
        """The two axes that remain."""
        return self.source.axes[1:]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the two axes that remain."""
        return self.source.shape[1:]

    @property
    def channels(self) -> int:
        """Number of layers."""
        return self.count

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """That of the source along the two axes."""
        return chunk_shape_of(self.source)[1:]

    def stamp(self) -> str | None:
        """Return the source's with the layers."""
        stored = values_stamp(self.source)
        return None if stored is None else f"{stored} layers {self.first} {self.count}"

    @property
    def copied(self) -> Volume:
        """The stack of these layers alone."""
        box = Region((self.first, 0, 0), (self.first + self.count, *self.shape))
        return Crop(self.source, box)

    def over_copy(self, copy: Volume) -> Layers:
        """Return all layers of a copy."""
        return Layers(copy, 0, self.count)

    def narrowed(self, first: int, count: int) -> Layers:
        """Return some of these layers."""
        return Layers(self.source, self.first + first, count)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(count, *region.shape)``, the first layer first."""
        check_within(self, region)
        box = Region((self.first, *region.start), (self.first + self.count, *region.stop))
        layers: NDArray[Any] = self.source.read(box)[0]
        return layers
