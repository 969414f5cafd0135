"""Volumes that are stored in packed chunks, unpacked once into files that are mapped into memory.

Training reads slices in any order, and a slice out of packed chunks costs every chunk it touches:
30 to 550 times what it costs from a mapped file. No cache of chunks helps there, since the slices
of a shuffled epoch have few chunks in common; one copy does. Volumes in object storage are copied
for the same reason.
"""

from __future__ import annotations

import hashlib
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.case import Case
from lamina.data.prepare.remote_copy import copy_in_pieces, is_remote, put, stored_shape
from lamina.data.readers import NpyVolume
from lamina.data.views.chunks import pieces
from lamina.errors import ResourceError
from lamina.files import make_folder, write_with
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.volume import Volume, VolumeView, chunk_shape_of, values_stamp, view_chain

UNPACKED = "unpacked"
"""Folder of the copies in a run folder."""


def unpacked(cases: Sequence[Case], folder: Path) -> list[Case]:
    """Return cases whose packed volumes of three axes, or layers of these, are read from copies.

    All volumes in object storage are.

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
class UnpackedVolume(VolumeView):
    """A copy of a volume, called what the volume is called; ``of`` is that volume."""

    of: Volume

    @property
    def name(self) -> str:
        """Name of the volume, since people know that and not the copy."""
        return self.of.name

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)`` of the copy."""
        return self.source.read(region)


@dataclass
class _Plan:
    """Which volumes are copied where."""

    folder: Path
    copies: dict[Path, Volume] = field(default_factory=dict)

    def add(self, volume: Volume) -> None:
        """Note what is to be copied: of the volume, or of what it is a view of."""
        wanted = next(filter(None, map(_Wanted.of, view_chain(volume))), None)
        if wanted is not None:
            self.copies.setdefault(self._path(wanted), wanted.volume)

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
                if is_remote(volume):
                    copy_in_pieces(volume, path)
                else:
                    write_with(path, _Writer(volume))
                bar.advance()

    def seen(self, volume: Volume) -> Volume:
        """Return a volume, or a view of it, that reads the copy."""
        wanted = _Wanted.of(volume)
        if wanted is not None:
            whole = wanted.volume
            axes = whole.axes if whole.channels == 1 else f"c{whole.axes}"
            copy = UnpackedVolume(NpyVolume(self._path(wanted), axes), whole)
            return volume.over_copy(copy) if isinstance(volume, VolumeView) else copy
        if not isinstance(volume, VolumeView):
            return volume
        source = self.seen(volume.source)
        return volume if source is volume.source else volume.over(source)

    def _path(self, wanted: _Wanted) -> Path:
        name = re.sub(r"[^\w.-]+", "_", Path(wanted.name).name)
        return self.folder / f"{name[-60:]}.{wanted.key}.npy"


@dataclass(frozen=True)
class _Wanted:
    """A copy that is worth making."""

    name: str
    volume: Volume
    key: str

    @classmethod
    def of(cls, volume: Volume) -> _Wanted | None:
        """Return the copy that would serve a volume; None where it needs none of its own."""
        copied = volume.copied if isinstance(volume, VolumeView) else volume
        packed = len(copied.axes) == 3 and max(chunk_shape_of(copied)) > 1
        if not packed and not is_remote(copied):
            return None
        stamp = values_stamp(volume)
        if stamp is None:
            return None
        return cls(volume.name, copied, hashlib.sha256(stamp.encode()).hexdigest()[:16])


@dataclass(frozen=True)
class _Writer:
    """Writes a volume piece by piece into a file that is mapped into memory."""

    volume: Volume

    def __call__(self, path: Path) -> None:
        volume = self.volume
        array: Any = np.lib.format.open_memmap(path, "w+", volume.dtype, stored_shape(volume))
        for region in pieces(volume):
            put(array, region, volume.read(region))
        array.flush()


def _bytes(volume: Volume) -> int:
    return math.prod(volume.shape) * volume.channels * volume.dtype.itemsize
