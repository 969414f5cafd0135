"""Volumes that are stored in packed chunks, unpacked once into files that are mapped into memory.

Training reads slices in any order, and a slice out of packed chunks costs every chunk it touches:
30 to 550 times what it costs from a mapped file. No cache of chunks helps there, since the slices
of a shuffled epoch have few chunks in common; one copy does.
"""

from __future__ import annotations

import hashlib
import math
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.flatten import Flattened
from lamina.data.readers import NpyVolume
from lamina.data.views.base import behind
from lamina.data.views.chunks import PIECE, grain_of, pieces
from lamina.data.views.layers import Layers
from lamina.data.views.rescaled import Stretched
from lamina.errors import ResourceError
from lamina.files import make_folder, write_with
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.volume import Crop, Packed, Transposed, Volume


def unpacked(cases: Sequence[Case], folder: Path) -> list[Case]:
    """Return cases whose packed volumes of three axes, or layers of these, are read from copies.

    So are aligned layers, as they are aligned; their maps are fitted.

    Copies of an earlier call are used again as long as the volumes' files are the same. A
    stretched volume is copied as it is stretched, so that one of bytes takes a byte a voxel.

    Args:
        cases: Opened; images and volumes that need no copy stay as they are.
        folder: Where the copies are; made if there is anything to copy.

    Raises:
        ResourceError: the copies do not fit the disk; nothing was written.
        DataError: a volume cannot be read.
    """
    plan = _Plan(folder)
    for case in cases:
        for volume in (case.image, case.target, case.valid):
            if volume is not None:
                plan.add(volume)
    plan.make()
    return [
        replace(
            case,
            image=plan.seen(case.image),
            target=None if case.target is None else plan.seen(case.target),
            valid=None if case.valid is None else plan.seen(case.valid),
        )
        for case in cases
    ]


@dataclass(frozen=True)
class Copy:
    """A copy of a volume, called what the volume is called; ``of`` is that volume."""

    source: Volume
    of: Volume

    @property
    def name(self) -> str:
        """Name of the volume, since people know that and not the copy."""
        return self.of.name

    @property
    def axes(self) -> str:
        """Axes of the volume."""
        return self.source.axes

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the volume."""
        return self.source.shape

    @property
    def channels(self) -> int:
        """Channels of the volume."""
        return self.source.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the volume."""
        return self.source.dtype

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of the copy."""
        return self.source.read(region)


@dataclass
class _Plan:
    """Which volumes are copied where."""

    folder: Path
    copies: dict[Path, Volume] = field(default_factory=dict)

    def add(self, volume: Volume) -> None:
        """Note what of a volume, or behind a view, is to be copied."""
        key = _key(volume)
        if key is not None:
            self.copies.setdefault(self._path(volume, key), _whole(volume))
        elif (source := behind(volume)) is not None:
            self.add(source)

    def make(self) -> None:
        """Write the copies that are not there yet."""
        missing = {path: volume for path, volume in self.copies.items() if not path.is_file()}
        if not missing:
            return
        make_folder(self.folder)
        needed, free = sum(map(_bytes, missing.values())), shutil.disk_usage(self.folder).free
        if needed > free:
            raise ResourceError(
                f"{self.folder}: {len(missing)} packed volumes need {needed / 2**30:.1f} GiB when "
                f"they are unpacked, {free / 2**30:.1f} GiB are free; free some space, or set "
                "data.unpack to never"
            )
        with Bar("unpacking volumes", len(missing)) as bar:
            for path, volume in missing.items():
                write_with(path, _Writer(volume))
                bar.advance()

    def seen(self, volume: Volume) -> Volume:
        """Return a volume, or a view of it, that reads the copy."""
        key = _key(volume)
        if key is not None:
            whole = _whole(volume)
            axes = whole.axes if whole.channels == 1 else f"c{whole.axes}"
            copy = Copy(NpyVolume(self._path(volume, key), axes), whole)
            return Layers(copy, 0, volume.count) if isinstance(volume, Layers) else copy
        source = behind(volume)
        if source is None or (instead := self.seen(source)) is source:
            return volume
        return replace(volume, source=instead)  # type: ignore[type-var]  # views are dataclasses

    def _path(self, volume: Volume, key: str) -> Path:
        name = re.sub(r"[^\w.-]+", "_", Path(volume.name).name)
        return self.folder / f"{name[-60:]}.{key}.npy"


@dataclass(frozen=True)
class _Writer:
    """Writes a volume piece by piece into a file that is mapped into memory."""

    volume: Volume

    def __call__(self, path: Path) -> None:
        volume = self.volume
        shape = volume.shape if volume.channels == 1 else (volume.channels, *volume.shape)
        array: Any = np.lib.format.open_memmap(path, "w+", volume.dtype, shape)
        for region in _boxes(volume):
            values = volume.read(region)
            if volume.channels == 1:
                array[region.slices] = values[0]
            else:
                array[(slice(None), *region.slices)] = values
        array.flush()


def _boxes(volume: Volume) -> Iterator[Region]:
    """Yield boxes that cover a volume; of aligned layers rows of all, since they come together."""
    if not isinstance(volume, Crop) or not isinstance(volume.source, Flattened):
        yield from pieces(volume)
        return
    depth, rows, columns = volume.shape
    tall = grain_of(volume)[1]
    step = max(PIECE // (depth * columns * tall), 1) * tall
    for row in range(0, rows, step):
        yield Region((0, row, 0), (depth, min(row + step, rows), columns))


def _whole(volume: Volume) -> Volume:
    """Return what is copied for a volume: of layers, the stack of these alone."""
    if not isinstance(volume, Layers):
        return volume
    first, sides = volume.first, volume.shape
    box = Region((first, *[0] * len(sides)), (first + volume.count, *sides))
    return Crop(volume.source, box)


def _key(volume: Volume) -> str | None:
    """Return what names the copy of a volume; None where it needs none of its own."""
    stack = volume.source if isinstance(volume, Layers) else volume
    moved = isinstance(volume, Layers) and isinstance(stack, Flattened)
    if len(stack.axes) != 3 or (max(grain_of(stack)) == 1 and not moved):
        return None
    said = says(volume)
    return None if said is None else hashlib.sha256(said.encode()).hexdigest()[:16]


def says(volume: Volume) -> str | None:
    """Return all that decides the values of a volume in a file; None for others.

    That are the files' names, sizes and times, and what is done to the values read.
    """
    if isinstance(volume, Packed):
        return f"{volume.stamp()} {volume.axes} {volume.shape} {volume.channels} {volume.dtype}"
    if not isinstance(volume, Flattened | Layers | Stretched | Transposed):
        return None
    inner = says(volume.source)
    if inner is None:
        return None
    if isinstance(volume, Transposed):
        return f"{inner} {volume.order}"
    if isinstance(volume, Flattened):
        return f"{inner} {volume.maps.digest()}"
    if isinstance(volume, Layers):
        return f"{inner} layers {volume.first} {volume.count}"
    like = None if volume.like is None else says(volume.like)
    return f"{inner} {volume.stretch.model_dump_json()}{'' if like is None else f' like {like}'}"


def _bytes(volume: Volume) -> int:
    return math.prod(volume.shape) * volume.channels * volume.dtype.itemsize
