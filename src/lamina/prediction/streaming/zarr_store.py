"""Answers of volumes and large images on disk: a Zarr v3 array (K, *S), written a box at a time.

Every chunk is written, and a missing one is refused: Zarr itself would read it as a constant.
A store lies in a folder of this machine or in object storage.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numcodecs import Blosc
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from lamina.data.readers.zarr.remote import RemoteFolder
from lamina.errors import DataError
from lamina.files import fault, make_folder, replacing
from lamina.folders import named, remote_url
from lamina.geometry.region import Region
from lamina.prediction.rounded import put_rounded
from lamina.refusals import reading, writing

if TYPE_CHECKING:
    from lamina.prediction.streaming.remote_chunks import RemoteChunks

_CHUNK = 2**18  # voxels: 64 x 64 x 64
_THICKEST = 64
_PART = 64 * 2**20  # bytes of the slices that are read together
_PACKING: Any = {"cname": "lz4", "clevel": 1}


Part = Callable[[Region], NDArray[Any]]
"""Returns the values (K, *box) of a box of a volume."""


@dataclass(frozen=True)
class Store:
    """A Zarr array that is complete or being written."""

    path: Path
    array: zarr.Array[Any]
    remote: RemoteChunks | None = None
    """The objects, where they lie in object storage."""

    @classmethod
    def begin(
        cls,
        path: Path,
        axes: str,
        shape: tuple[int, ...],
        dtype: type[np.floating[Any]],
        *,
        slab: Mapping[int, int] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> Store:
        """Make a store of NaN, or go on with one that was begun with the same values.

        Args:
            path: A folder whose name ends in ``.zarr``, or an address in object storage.
            axes: Names of the spatial axes.
            shape: (K, *S).
            dtype: float16 or float32.
            slab: Thickness along the stored axis that the writer walks along.
            about: JSON values that the store carries.

        Raises:
            ResourceError: the disk is full, or the storage takes nothing.
            RecipeError: nothing can be written there.
        """
        thick = {0: _depth(shape, np.dtype(dtype).itemsize)} | dict(slab or {})
        chunks = (1, *chunk_sides(shape[1:], thick))
        about, remote = {"lamina": dict(about or {})}, _remote(path)
        before = _opened(path, remote) if remote is not None or path.is_dir() else None
        if before is not None and _same(before, shape, dtype, chunks, about):
            for left in path.rglob("*.partial"):  # of a process that was killed
                left.unlink()
            return cls(path, before, remote)
        if remote is not None:
            remote.remove(own=before is not None and "lamina" in before.attrs)
        else:
            if path.is_dir():
                shutil.rmtree(path)
            make_folder(path.parent)
        with _writing(path, remote):
            made = zarr.create_array(
                path if remote is None else remote.zarr_store(),
                shape=shape,
                chunks=chunks,
                dtype=dtype,
                fill_value=math.nan,
                compressors=BloscCodec(**_PACKING, shuffle="bitshuffle"),
                dimension_names=["channel", *axes],
                attributes=about,
                config={"write_empty_chunks": True},
            )
        return cls(path, made, remote)

    @classmethod
    def join(cls, path: Path) -> Store:
        """Open a store that another process has begun, to write to; nothing in it is removed.

        Raises:
            DataError: it is gone, or damaged.
        """
        remote = _remote(path)
        array = _opened(path, remote)
        if array is None:
            raise DataError(
                f"{named(path)}: not readable as a Zarr array; run the same predict again"
            )
        return cls(path, array, remote)

    @classmethod
    def open(cls, path: Path) -> Store:
        """Open a store to read.

        Raises:
            DataError: it is missing or damaged, or chunks are missing.
        """
        store = cls.join(path)
        if store.remote is not None:
            there = store.remote.count()
        else:
            there = sum(one.is_file() for one in (path / "c").rglob("*"))
        if there < store.array.nchunks:
            raise DataError(
                f"{named(path)}: has {there} of {store.array.nchunks} chunks; run the same predict "
                "again"
            )
        return store

    @property
    def shape(self) -> tuple[int, ...]:
        """(K, *S)."""
        return tuple(self.array.shape)

    def boxes(self, region: Region) -> Iterator[Region]:
        """Yield the parts of a spatial region that are one chunk each, in order."""
        spans = []
        for start, stop, side in zip(region.start, region.stop, self.array.chunks[1:], strict=True):
            cuts = [start, *range((start // side + 1) * side, stop, side), stop]
            spans.append(list(itertools.pairwise(cuts)))
        for box in itertools.product(*spans):
            yield Region(tuple(a for a, _ in box), tuple(b for _, b in box))

    def write(self, box: Region, values: NDArray[Any]) -> None:
        """Write (K, *box.shape); whole chunks, where several may write.

        Raises:
            ResourceError: the disk is full.
        """
        with _writing(self.path, self.remote):
            self.array[(slice(None), *box.slices)] = values

    def put(self, region: Region, part: Part) -> str:
        """Write a region chunk by chunk; return what is noted of it.

        That is ``digest`` of files; of objects the digest of their contents before it.

        Args:
            region: Of the volume.
            part: Returns what a box of it is to hold; asked once for each, in order.

        Raises:
            ResourceError: the disk is full.
            DataError: chunks vanished while they were written.
        """
        if self.remote is None and all(map(self._is_whole_chunk, self.boxes(region))):
            return self._put_files(region, part)
        for box in self.boxes(region):
            self.write(box, np.asarray(part(box), self.array.dtype))
            fault("store.after_chunk")
        remote = self.remote
        sha256 = self.digest(region) if remote is None else remote.written(self._names(region))
        if sha256 is None:
            raise DataError(f"{self.path}: chunks vanished while they were written")
        return sha256

    def _put_files(self, region: Region, part: Part) -> str:
        """Write whole chunks as Zarr would, and return the digest of what was written.

        Zarr hands every chunk through coroutines and threads, which costs as much as packing it.
        """
        sides, whole = self.array.chunks[1:], hashlib.sha256()
        chunk = np.empty(sides, self.array.dtype)
        packer = Blosc(**_PACKING, shuffle=Blosc.BITSHUFFLE)
        for box in self.boxes(region):
            if box.shape != tuple(sides):
                chunk.fill(self.array.fill_value)  # beyond the end
            for name, values in zip(self._names(box), part(box), strict=True):
                put_rounded(values, chunk[tuple(slice(n) for n in box.shape)])
                packed = packer.encode(chunk)
                whole.update(packed)
                with replacing(self.path / name, flush=False) as stream:
                    stream.write(packed)
            fault("store.after_chunk")
        return whole.hexdigest()

    def _is_whole_chunk(self, box: Region) -> bool:
        sides, ends = self.array.chunks[1:], self.array.shape[1:]
        return all(
            a % side == 0 and b == min(a + side, end)
            for a, b, side, end in zip(box.start, box.stop, sides, ends, strict=True)
        )

    def read(self, box: Region | None = None) -> NDArray[Any]:
        """Return (K, *box.shape) as it is stored; None: all of it.

        Raises:
            DataError: a chunk is damaged.
        """
        box = box or Region.whole(self.shape[1:])
        where = named(self.path)
        with reading(where, what=f"{box} is damaged", remedy="run the same predict again"):
            return np.asarray(self.array[(slice(None), *box.slices)])

    def digest(self, region: Region) -> str | None:
        """Return the SHA-256 of the chunks that hold a region; None: one of them is missing.

        Of the files and not of their values: a file that lacks its end may still be decoded. Of
        objects the digest of their ETags.
        """
        if self.remote is not None:
            return self.remote.digest(self._names(region))
        whole = hashlib.sha256()
        for name in self._names(region):
            path = self.path / name
            if not path.is_file():
                return None
            whole.update(path.read_bytes())
        return whole.hexdigest()

    def _names(self, region: Region) -> list[str]:
        """Return the names of the chunks that hold a region, in order."""
        sides = self.array.chunks[1:]
        names = []
        for box in self.boxes(region):
            at = [str(a // side) for a, side in zip(box.start, sides, strict=True)]
            names += ["/".join(("c", str(k), *at)) for k in range(self.shape[0])]
        return names

    def slabs(self) -> Iterator[Region]:
        """Yield the regions that together are all slices along the first axis, in order.

        One is read in no more than 64 MiB, unless a single slice is larger.
        """
        whole, thick = Region.whole(self.shape[1:]), self.array.chunks[1]
        for start in range(0, whole.stop[0], thick):
            stop = min(start + thick, whole.stop[0])
            yield Region((start, *whole.start[1:]), (stop, *whole.stop[1:]))


def _depth(shape: tuple[int, ...], itemsize: int) -> int:
    """Return how many slices along the first axis are read together."""
    thick, each = _THICKEST, math.prod(shape) // max(shape[1], 1) * itemsize
    while thick > 1 and thick * each > _PART:
        thick //= 2
    return thick


def chunk_sides(shape: tuple[int, ...], thick: Mapping[int, int]) -> tuple[int, ...]:
    """Return the sides of a chunk: as thick as the slabs, and about 2^18 voxels in all.

    Args:
        shape: Of the spatial axes.
        thick: Sides of a chunk along some of them, by number.
    """
    free = len(shape) - len(thick)
    left = max(_CHUNK // math.prod(thick.values()), 1)
    side = 2 ** round(math.log2(left) / max(free, 1))
    return tuple(min(thick.get(at, side), n) for at, n in enumerate(shape))


def _remote(path: Path) -> RemoteChunks | None:
    url = remote_url(path)
    if url is None:
        return None
    from lamina.prediction.streaming.remote_chunks import RemoteChunks

    return RemoteChunks(RemoteFolder(url))


@contextmanager
def _writing(path: Path, remote: RemoteChunks | None) -> Iterator[None]:
    with writing(path) if remote is None else remote.writing():
        yield


def _opened(path: Path, remote: RemoteChunks | None) -> zarr.Array[Any] | None:
    try:
        if remote is None:
            return zarr.open_array(path, mode="r+", zarr_format=3)
        with remote.folder.reading():
            return zarr.open_array(remote.zarr_store(), mode="r+", zarr_format=3)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _same(
    array: zarr.Array[Any],
    shape: tuple[int, ...],
    dtype: type[np.floating[Any]],
    chunks: tuple[int, ...],
    about: Mapping[str, Any],
) -> bool:
    return (
        array.shape == shape
        and array.dtype == np.dtype(dtype)
        and array.chunks == chunks
        and dict(array.attrs) == about
    )
