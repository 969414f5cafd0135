"""The npz of the fault competition: for each volume the coordinates of what was found."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lamina.errors import DataError
from lamina.files import replacing, scratch
from lamina.geometry.region import Region
from lamina.result.npz_entry import entry
from lamina.result.submissions.base import Part, Submission

_LONGEST = 2**16
"""Voxels of an axis whose last index still fits 16 bits."""

_BLOCK = 2**16


class CoordinatesNpz(Submission):  # FAULT-15
    """An npz archive with one array for each volume, (n, 3) uint16 in C order.

    The array is called like the case and holds the indices of all voxels that are decided on,
    along the stored axes. An archive that is there is extended: the volumes it has stay, and one
    of the same name is replaced. The new archive takes the place of the old one when it is
    complete. Equal masks make equal bytes.
    """

    kind: Literal["coordinates_npz"] = "coordinates_npz"

    output: int | None = Field(default=None, ge=0)
    """Number of the output that is written, counted from 0; null: the only one, or of two that
    exclude each other (background and object) the second."""

    def write(self, results: Iterable[tuple[str, NDArray[np.bool_]]], path: Path) -> int:
        """Write an array for each case; return the number of cases.

        Raises:
            DataError: see ``write_parts``.
        """
        return self.write_parts(
            ((name, [(Region.whole(masks.shape[1:]), masks)]) for name, masks in results), path
        )

    def write_parts(self, results: Iterable[tuple[str, Iterable[Part]]], path: Path) -> int:
        """Write an array for each case, part by part; return the number of cases.

        Coordinates wait on the disk for their number, so that no more than a part is in memory.

        Raises:
            DataError: a case is no volume, is longer than 65536 voxels, or has outputs of which
                none is chosen; a name cannot stand in an archive or stands twice; or ``path`` is
                there and is no sound archive.
        """
        written: set[str] = set()
        with (
            _existing(path) as before,
            replacing(path) as stream,
            scratch(path) as spool,
            zipfile.ZipFile(stream, "w") as archive,
        ):
            for name, parts in results:
                _check_name(name, written)
                spool.seek(0)
                spool.truncate()
                count = sum(self._spool(name, part, spool) for part in parts)
                spool.seek(0)
                with entry(archive, f"{name}.npy") as place:
                    header = {"descr": "<u2", "fortran_order": False, "shape": (count, 3)}
                    np.lib.format.write_array_header_1_0(place, header)
                    shutil.copyfileobj(spool, place, _BLOCK)
            if before is not None:
                _keep(before, archive, path, without={f"{name}.npy" for name in written})
        return len(written)

    def _spool(self, name: str, part: Part, spool: IO[bytes]) -> int:
        """Write the coordinates of a part behind those before it; return their number."""
        region, masks = part
        if masks.ndim != 4:
            raise DataError(
                f"case {name}: has {masks.ndim - 1} axes {masks.shape[1:]}, and coordinates_npz "
                "holds volumes; write images as severstal or siim"
            )
        if max(region.stop) > _LONGEST:
            raise DataError(
                f"case {name}: reaches to {region.stop}, and coordinates_npz counts to {_LONGEST}; "
                "cut the volume"
            )
        count = 0
        for z, page in enumerate(masks[self._chosen(name, masks)], start=region.start[0]):
            rows, columns = np.nonzero(page)
            found = np.empty((len(rows), 3), "<u2")
            found[:, 0] = z
            found[:, 1] = rows + region.start[1]
            found[:, 2] = columns + region.start[2]
            spool.write(found.tobytes())
            count += len(found)
        return count

    def _chosen(self, name: str, masks: NDArray[np.bool_]) -> int:
        if self.output is not None:
            if self.output >= len(masks):
                raise DataError(
                    f"case {name}: has {len(masks)} outputs, and submit.output is {self.output}, "
                    "counted from 0"
                )
            return self.output
        if len(masks) == 1:
            return 0
        if len(masks) == 2 and np.array_equal(masks[0], ~masks[1]):
            return 1
        raise DataError(
            f"case {name}: has {len(masks)} outputs, and coordinates_npz holds one; set "
            "submit.output to its number, counted from 0"
        )


def read_coordinates(path: Path) -> Iterator[tuple[str, NDArray[np.uint16]]]:
    """Yield the volumes of an archive, one at a time: name and coordinates (n, 3) uint16.

    Raises:
        DataError: it is missing or damaged, or an array is of another kind.
    """
    with _existing(path) as archive:
        if archive is None:
            raise DataError(f"{path}: no such file")
        for info in archive.infolist():
            with _sound(path, info.filename), archive.open(info) as stream:
                found = _coordinates(stream, info.file_size)
            yield info.filename.removesuffix(".npy"), found


def _coordinates(stream: IO[bytes], size: int) -> NDArray[np.uint16]:
    """Return the array of an entry of ``size`` bytes; ValueError where it is none of ours."""
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(np.lib.format.read_magic(stream))
    if read_header is None:
        raise ValueError("an unknown version of npy")
    shape, fortran, dtype = read_header(stream)
    if dtype != np.uint16 or len(shape) != 2 or shape[1] != 3:
        raise ValueError(f"it holds {dtype} {shape}, not uint16 (n, 3)")
    if size - stream.tell() != 6 * shape[0]:  # before anything of that size is made
        raise ValueError(f"it has {size - stream.tell()} bytes for {shape[0]} coordinates")
    flat = np.frombuffer(stream.read(), dtype)  # to the end, where the checksum is compared
    return flat.reshape(shape, order="F" if fortran else "C").astype(np.uint16, copy=False)


@contextmanager
def _existing(path: Path) -> Iterator[zipfile.ZipFile | None]:
    """Open an archive that may not be there yet."""
    if not path.exists():
        yield None
        return
    with _sound(path, "it"):
        archive = zipfile.ZipFile(path)
    with archive:
        yield archive


@contextmanager
def _sound(path: Path, what: str) -> Iterator[None]:
    # RuntimeError: a password is wanted; NotImplementedError: an unknown compression
    damage = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, IsADirectoryError)
    try:
        yield
    except damage as error:
        raise DataError(
            f"{path}: {what} cannot be read as npz ({error}); name another file, or remove it"
        ) from error


def _keep(
    before: zipfile.ZipFile, archive: zipfile.ZipFile, path: Path, *, without: set[str]
) -> None:
    """Copy what an earlier archive holds and the new one does not."""
    for info in before.infolist():
        if info.filename in without:
            continue
        with before.open(info) as source, entry(archive, info.filename) as place:
            while True:
                with _sound(path, info.filename):
                    block = source.read(_BLOCK)
                if not block:
                    break
                place.write(block)


def _check_name(name: str, written: set[str]) -> None:
    if name in written:
        raise DataError(f"duplicate case id '{name}'; rename one of the volumes")
    steps = name.split("/")
    if not name or name.endswith(".npy") or {"", ".", ".."} & set(steps) or set(name) & set("\\\0"):
        raise DataError(f"case {name!r}: cannot be a name in an npz archive; rename the volume")
    written.add(name)
