"""Zarr chunks of the common kinds, decoded straight into the place where they belong.

Zarr's own reader hands every chunk through coroutines and threads, which costs several times what
reading and decoding it does. Chunks that lie in a file each, as they are or packed by blosc, zstd
or lz4, need none of that; all others are left to Zarr.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numcodecs import LZ4, Blosc, Zstd
from numpy.typing import NDArray

from lamina.data.readers.zarr.remote import RemoteFolder, stored_chunks

_DECODERS: dict[str, Callable[..., Any]] = {
    "blosc": Blosc().decode,
    "zstd": Zstd().decode,
    "lz4": LZ4().decode,
}
_ZSTD = b"\x28\xb5\x2f\xfd"


def unpacked_size(codec: str, packed: bytes) -> int | None:
    """Return how many bytes packed ones claim to become; None where they do not say.

    A few packed bytes may claim, and become, more than any memory holds (I07).

    Args:
        codec: blosc, zstd (RFC 8878, 3.1.1.1) or lz4 as numcodecs writes it.
        packed: A whole chunk.
    """
    if codec == "blosc":
        return int.from_bytes(packed[4:8], "little")
    if codec == "lz4":
        return int.from_bytes(packed[:4], "little")
    if packed[:4] != _ZSTD or len(packed) < 6:
        return None
    about = packed[4]
    single = about >> 5 & 1
    width = (single, 2, 4, 8)[about >> 6]
    start = 5 + (1 - single) + (0, 1, 2, 4)[about & 3]
    size = int.from_bytes(packed[start : start + width], "little")
    return size + 256 * (width == 2) if width else None


@dataclass(frozen=True)
class PlainChunks:
    """The chunks of an array that need no more than reading a file and one decoder.

    ``stored``: the type in the byte order of the files. ``key``: name of a chunk's file below
    ``folder``.
    """

    folder: Path | RemoteFolder
    chunks: tuple[int, ...]
    stored: np.dtype[Any]
    order: Literal["C", "F"]
    fill: Any
    codec: str | None
    key: Callable[[tuple[int, ...]], str]

    @classmethod
    def of(cls, array: zarr.Array[Any], folder: Path | RemoteFolder) -> PlainChunks | None:
        """Return the chunks of an array; None where they are of another kind."""
        meta: Any = array.metadata
        stored, order = np.dtype(array.dtype), "C"
        if meta.zarr_format == 2:
            names = [] if meta.compressor is None else [meta.compressor.codec_id]
            order = meta.order
            if meta.filters:
                return None
        else:
            codecs = [codec.to_dict() for codec in meta.codecs]
            first, names = codecs[0], [codec["name"] for codec in codecs[1:]]
            if first["name"] != "bytes":
                return None
            big = (first.get("configuration") or {}).get("endian") == "big"
            stored = stored.newbyteorder(">" if big else "<")
        if len(names) > 1 or any(name not in _DECODERS for name in names):
            return None
        fill = array.fill_value
        return cls(
            folder=folder,
            chunks=tuple(array.chunks),
            stored=stored,
            order="F" if order == "F" else "C",
            fill=0 if fill is None else fill,
            codec=names[0] if names else None,
            key=meta.encode_chunk_key,
        )

    def read(self, box: tuple[slice, ...]) -> NDArray[Any]:
        """Return what lies in ``box``, in the stored byte order; missing chunks are filled.

        Raises:
            ValueError: a chunk decodes to another number of bytes than it should.
            OSError, RuntimeError: a chunk cannot be read or decoded.
        """
        out = np.empty([part.stop - part.start for part in box], self.stored)
        room = np.empty(math.prod(self.chunks) * self.stored.itemsize, np.uint8)
        spans = [
            range(part.start // side, -(-part.stop // side))
            for part, side in zip(box, self.chunks, strict=True)
        ]
        held = self._fetched(spans)
        for index in itertools.product(*spans):
            source, goal = [], []
            for number, part, side in zip(index, box, self.chunks, strict=True):
                first, stop = max(number * side, part.start), min(number * side + side, part.stop)
                source.append(slice(first - number * side, stop - number * side))
                goal.append(slice(first - part.start, stop - part.start))
            chunk = self._chunk(index, room, held)
            out[tuple(goal)] = self.fill if chunk is None else chunk[tuple(source)]
        return out

    def _fetched(self, spans: list[range]) -> dict[str, bytes] | None:
        """Return the chunks of a region that object storage holds; None: they are files."""
        if isinstance(self.folder, Path):
            return None
        keys = [self.key(index) for index in itertools.product(*spans)]
        there = stored_chunks(self.folder, keys)
        return self.folder.fetch({key: there[key] for key in keys if key in there})

    def _chunk(
        self, index: tuple[int, ...], room: NDArray[np.uint8], held: dict[str, bytes] | None
    ) -> NDArray[Any] | None:
        """Decode a chunk into ``room``, which is taken once: fresh memory costs more than reading.

        Returns:
            A view of ``room``; None where there is no such file.
        """
        if held is not None:
            packed = held.get(self.key(index))
            if packed is None:
                return None
            size = self._copied(packed, room) if not self.codec else self._unpacked(packed, room)
        else:
            found = self._from_file(index, room)
            if found is None:
                return None
            size = found
        if size != room.size:
            raise ValueError(f"chunk {index} holds {size} bytes, not {room.size}")
        return room.view(self.stored).reshape(self.chunks, order=self.order)

    def _from_file(self, index: tuple[int, ...], room: NDArray[np.uint8]) -> int | None:
        assert isinstance(self.folder, Path)
        try:
            with (self.folder / self.key(index)).open("rb", buffering=0) as file:
                if self.codec is None:
                    return file.readinto(room.data) + len(file.read(1))
                return self._unpacked(file.readall(), room)
        except FileNotFoundError:
            return None

    def _copied(self, stored: bytes, room: NDArray[np.uint8]) -> int:
        if len(stored) == room.size:
            room[:] = np.frombuffer(stored, np.uint8)
        return len(stored)

    def _unpacked(self, packed: bytes, room: NDArray[np.uint8]) -> int:
        """Decode what fits ``room`` exactly; return how many bytes it is or would be."""
        codec = self.codec or ""
        claimed = unpacked_size(codec, packed)
        if claimed is None:
            found = np.frombuffer(_DECODERS[codec](packed), np.uint8)
            if found.size == room.size:
                room[:] = found
            return found.size
        if claimed == room.size:
            _DECODERS[codec](packed, room)
        return claimed
