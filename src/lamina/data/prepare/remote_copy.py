"""A copy of a volume in object storage, made piece by piece; who was stopped goes on from there.

Pieces are noted with their digests once they are on the disk. The copy gets its name when all of
them are there and the storage still says of every object what it said at the beginning.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers import ZarrVolume
from lamina.data.views.chunks import pieces
from lamina.errors import DataError
from lamina.files import append_line, fault, locked, make_folder, move_whole, read_lines
from lamina.geometry.region import Region
from lamina.progress import Bar
from lamina.refusals import writing
from lamina.volume import Volume, values_stamp, view_chain

_ARRAY, _PIECES = "array.npy", "pieces.jsonl"


def is_remote(volume: Volume) -> bool:
    """Whether what a volume reads lies in object storage."""
    return any(isinstance(one, ZarrVolume) and one.remote for one in view_chain(volume))


def stored_shape(volume: Volume) -> tuple[int, ...]:
    """Return the shape of the array of a copy; a single channel has no axis there."""
    return volume.shape if volume.channels == 1 else (volume.channels, *volume.shape)


def put(array: NDArray[Any], region: Region, values: NDArray[Any]) -> None:
    """Write ``(channels, *region.shape)`` into the array of a copy."""
    part = of_region(array, region)
    part[...] = values[0] if part.ndim < values.ndim else values


def of_region(array: NDArray[Any], region: Region) -> NDArray[Any]:
    """Return the part of the array of a copy that holds a region."""
    channels = (slice(None),) * (array.ndim - len(region.start))
    found: NDArray[Any] = array[(*channels, *region.slices)]
    return found


def copy_in_pieces(volume: Volume, path: Path) -> None:
    """Write a volume into a file ``.npy``, whole or not at all, or go on with a copy begun before.

    Raises:
        DataError: an object is missing or damaged, or changed while it was copied.
        RecipeError: another process makes the same copy.
        ResourceError: the disk is full.
    """
    stamp, begun = values_stamp(volume), path.with_name(f"{path.name}.begun")
    make_folder(begun)
    with locked(begun):
        try:
            _copy(volume, begun)
            if values_stamp(volume) != stamp:
                raise DataError(f"{volume.name}: changed while it was copied; run again")
        except DataError:
            with suppress(DataError):  # the storage may not answer at all
                if values_stamp(volume) != stamp:  # what was copied is of no use any more
                    _drop(begun)
            raise
        move_whole(begun / _ARRAY, path)
        _drop(begun)
    shutil.rmtree(begun, ignore_errors=True)


def _copy(volume: Volume, begun: Path) -> None:
    """Copy the pieces that are missing."""
    array = _array(volume, begun / _ARRAY)
    done = _sound(array, begun / _PIECES)
    boxes = list(pieces(volume))
    with Bar(f"copying {volume.name}", len(boxes), done=len(done)) as bar:
        for box in boxes:
            if box in done:
                continue
            put(array, box, volume.read(box))
            array.flush()
            append_line(begun / _PIECES, _note(array, box))
            fault("remote_copy.after_piece")
            bar.advance()


def _drop(begun: Path) -> None:
    for name in (_ARRAY, _PIECES):
        (begun / name).unlink(missing_ok=True)


def _array(volume: Volume, path: Path) -> np.memmap[Any, Any]:
    """Return the array of a copy on the disk, as far as it is written; it has room for all."""
    shape = stored_shape(volume)
    if not path.is_file():
        beside = path.with_name(f"{_ARRAY}.new")
        np.lib.format.open_memmap(beside, "w+", volume.dtype, shape)
        with writing(path), beside.open("r+b") as stream:
            if hasattr(os, "posix_fallocate"):  # a full disk would kill whoever writes to the map
                os.posix_fallocate(stream.fileno(), 0, beside.stat().st_size)
        beside.replace(path)
    return np.lib.format.open_memmap(path, "r+")


def _sound(array: NDArray[Any], notes: Path) -> set[Region]:
    """Return the pieces that are noted and have their digest."""
    done = set()
    for row in read_lines(notes):
        box = Region(tuple(row["start"]), tuple(row["stop"]))
        if _digest(array, box) == row["sha256"]:
            done.add(box)
    return done


def _note(array: NDArray[Any], box: Region) -> str:
    row = {"start": list(box.start), "stop": list(box.stop), "sha256": _digest(array, box)}
    return json.dumps(row)


def _digest(array: NDArray[Any], box: Region) -> str:
    return hashlib.sha256(np.ascontiguousarray(of_region(array, box)).data).hexdigest()
