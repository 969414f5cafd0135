"""Zarr arrays, versions 2 and 3, alone or as images of OME-Zarr; only what is asked for is read.

Zarr reads a chunk whose file is missing as a constant, without a word. Here every file that a
region needs must be there, unless the recipe says that what is missing is empty. Within a shard
that is there, chunks that its index lists as empty are taken as empty.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.axes import lay_out
from lamina.data.readers.file_stamp import stamp_of
from lamina.data.readers.format import Fill, Format
from lamina.data.readers.zarr.header import find_array, is_store, place_of
from lamina.data.readers.zarr.remote import stored_chunks
from lamina.errors import DataError
from lamina.folders import named, remote_url
from lamina.geometry.region import Region
from lamina.volume import Placement, check_within

if TYPE_CHECKING:
    import zarr

LARGEST = 1 << 30
"""Most bytes of one decoded chunk; one must fit into memory whatever is asked for."""

_BROKEN = (OSError, ValueError, RuntimeError, KeyError, TypeError, ArithmeticError, MemoryError)

# Codecs that turn bytes into numbers and can do nothing else. Others, such as numcodecs' pickle,
# would run what the file says.
_CODECS = frozenset(
    (
        *("bytes", "transpose", "sharding_indexed", "blosc", "zstd", "lz4", "gzip", "zlib", "bz2"),
        *("lzma", "shuffle", "delta", "crc32", "crc32c", "adler32", "fletcher32", "packbits"),
        *("bitround", "quantize", "fixedscaleoffset", "astype", "pcodec", "zfpy"),
    )
)


class ZarrVolume:
    """One Zarr array of two or three spatial axes on disk.

    Names of axes are those of the OME metadata or of the array's dimensions; ``c`` becomes the
    channels and a ``t`` of length 1 is dropped. An array without names has the axes ``"zyx"``.
    """

    def __init__(
        self,
        path: Path,
        axes: str | None = None,
        *,
        dataset: str | None = None,
        fill: Fill = "refuse",
        as_stored: bool = False,
    ) -> None:
        """Read the metadata of the store ``path``; the chunks stay on disk.

        Args:
            path: Folder of the store.
            axes: Names of the stored axes, or of those without ``c`` and ``t``; None: as the
                store says.
            dataset: Path of an array or an image within the store; None: the image's full
                resolution, or the only array.
            fill: ``allow`` takes chunks that are missing as filled with the array's fill value,
                as programs write them that leave empty chunks out.
            as_stored: Whether ``axes`` may be others than the store's own.

        Raises:
            DataError: the store is damaged or holds no array of plain numbers; none, or several
                and none is named; its axes are not those named; it is packed in a way that is
                not known to be safe.
        """
        self.path = Path(path)
        node, own, scales = find_array(self.path, dataset)
        self._where, self._version, self._fill = node.path, node.version, fill
        array = self._opened()
        self._stored = np.dtype(array.dtype)
        self._layout = lay_out(self.path, tuple(array.shape), axes, own, as_stored=as_stored)
        self.axes = self._layout.axes
        self.placement = Placement(own and self._layout.axes)
        self.scales = scales if scales is not None and not (as_stored and axes) else None
        if self.scales is not None:
            self.placement = self.scales.placement(self._layout.names)
        self._pieces = tuple(array.shards or array.chunks)
        self._chunks = tuple(array.chunks)
        self._meta = "zarr.json" if node.version == 3 else ".zarray"
        self._kept: Any = None
        self._check(array)
        self._seen = self._mark()

    @property
    def name(self) -> str:
        """The path or address."""
        return named(self.path)

    @property
    def remote(self) -> bool:
        """Whether it lies in object storage."""
        return remote_url(self.path) is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each spatial axis, in pixels."""
        return self._layout.shape

    @property
    def channels(self) -> int:
        """1, or the length of the axis named ``c``."""
        return self._layout.channels

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored type, in the machine's byte order."""
        native: np.dtype[Any] = self._stored.newbyteorder("=")
        return native

    @property
    def stored_axes(self) -> str:
        """Names of the stored axes in order; ``c`` of channels, ``_`` of an axis not seen."""
        return self._layout.names

    @property
    def chunk_shape(self) -> tuple[int, ...]:
        """Sides of a chunk; of an inner one where chunks lie in shards."""
        return self._layout.spatial(self._chunks)

    def stamp(self) -> str:
        """Return a digest of the names, sizes and times of all files of the array.

        In object storage the ETags stand for the times.
        """
        if not isinstance(self._where, Path):
            found = sorted(self._where.listing(again=True).items())
            return hashlib.sha256(
                repr((self.name, found, self._layout.names, self._fill)).encode()
            ).hexdigest()
        files = sorted(one for one in self._where.rglob("*") if one.is_file())
        return stamp_of(self._where, files, self._layout.names, self._fill)

    def read(self, region: Region) -> NDArray[Any]:
        """Return a copy, ``(channels, *region.shape)``; only chunks it touches are decoded.

        Raises:
            ValueError: the region leaves the volume.
            DataError: a chunk is missing or damaged, or the store changed since it was opened.
        """
        check_within(self, region)
        if 0 in region.shape:
            return np.empty((self.channels, *region.shape), self.dtype)
        box = self._layout.stored(region)
        if self._kept is None:
            from lamina.data.readers.zarr.chunks import PlainChunks

            array = self._again()
            self._kept = array, PlainChunks.of(array, self._where)
        if self._fill == "refuse":
            self._refuse_holes(box)
        array, plain = self._kept
        try:
            values = self._by_zarr(array, box) if plain is None else plain.read(box)
        except _BROKEN as error:
            raise DataError(
                f"{self.name}: a chunk of {region} is damaged ({error}); copy it again"
            ) from error
        return self._layout.seen(values)

    def _by_zarr(self, array: zarr.Array[Any], box: tuple[slice, ...]) -> NDArray[Any]:
        """Read what Zarr's own reader has to; in object storage ETags are compared afterwards."""
        where = self._where
        if isinstance(where, Path):
            return np.asarray(array[box])
        before = where.listing()
        with where.reading():
            values = np.asarray(array[box])
        if before != where.listing(again=True):
            raise DataError(f"{self.name}: changed while in use; run again")
        return values

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_kept": None}

    def _opened(self) -> zarr.Array[Any]:
        import zarr

        try:
            where = self._where
            if isinstance(where, Path):
                return zarr.open_array(where, mode="r", zarr_format=self._version)
            with where.reading():
                return zarr.open_array(where.zarr_store(), mode="r", zarr_format=self._version)
        except _BROKEN as error:
            raise DataError(
                f"{self._where}: not readable as a Zarr array ({error}); copy it again"
            ) from error

    def _again(self) -> zarr.Array[Any]:
        if self._mark() != self._seen:
            raise DataError(f"{self.name}: is gone or changed while in use; run again")
        return self._opened()

    def _mark(self) -> object:
        """Return what tells changed metadata: their time, or their ETag; None: they are gone."""
        if isinstance(self._where, Path):
            meta = self._where / self._meta
            return meta.stat().st_mtime_ns if meta.is_file() else None
        found = self._where.read(self._meta)
        return None if found is None else found[1]

    def _check(self, array: zarr.Array[Any]) -> None:
        """Refuse what is no array of numbers, needs more memory than any, or may run code."""
        if self._stored.kind not in "biuf":
            raise DataError(
                f"{self.name}: holds {self._stored}, not numbers; save booleans, integers or floats"
            )
        if min((*self._chunks, *self._pieces), default=1) < 1:
            raise DataError(
                f"{self.name}: says chunks of {self._pieces}, none of whose sides can be below 1; "
                "it is damaged, copy it again"
            )
        size = math.prod(self._chunks) * self._stored.itemsize
        if size > LARGEST:
            raise DataError(
                f"{self.name}: has chunks of {self._chunks}, {size / 2**30:.1f} GiB each, where "
                f"{LARGEST >> 30} GiB are the most; write it again in smaller chunks"
            )
        strange = sorted({name for name in _codecs(array) if name not in _CODECS})
        if strange:
            raise DataError(
                f"{self.name}: is packed with {', '.join(strange)}, which is not read; write it "
                "again with zstd or blosc"
            )

    def _refuse_holes(self, box: tuple[slice, ...]) -> None:
        spans = [
            range(part.start // side, -(-part.stop // side))
            for part, side in zip(box, self._pieces, strict=True)
        ]
        encode = self._kept[0].metadata.encode_chunk_key
        where = self._where
        there: Collection[str] = ()
        if not isinstance(where, Path):
            there = stored_chunks(where, [encode(index) for index in itertools.product(*spans)])
        for index in itertools.product(*spans):
            key = encode(index)
            if not (_is_there(where / key) if isinstance(where, Path) else key in there):
                raise DataError(
                    f"{self.name}: chunk {index} is not stored ({encode(index)}); set data.fill "
                    "to allow, since Zarr leaves out chunks of the fill value; where the copy of "
                    "the store is not whole, copy it again instead"
                )


def _is_there(chunk: Path) -> bool:
    """Whether a file holds anything; Zarr takes an empty shard for a missing one."""
    try:
        return chunk.stat().st_size > 0
    except (FileNotFoundError, NotADirectoryError):
        return False


def _codecs(array: zarr.Array[Any]) -> list[str]:
    """Return the names of all codecs of an array, those within shards included."""
    if array.metadata.zarr_format == 2:
        meta = array.metadata
        return [one.codec_id for one in (*(meta.filters or ()), meta.compressor) if one is not None]
    names: list[str] = []
    left: list[Any] = [codec.to_dict() for codec in array.metadata.codecs]
    while left:
        codec = left.pop()
        names.append(str(codec["name"]).removeprefix("numcodecs."))
        inner = codec.get("configuration") or {}
        left += [*inner.get("codecs", ()), *inner.get("index_codecs", ())]
    return names


ZARR = Format(
    name="Zarr",
    suffixes=(".zarr", ".ome.zarr"),
    store="zarr.json, .zarray or .zgroup",
    known_by=lambda path, _: is_store(place_of(path)),
    open=lambda path, options: ZarrVolume(
        path,
        options.axes,
        dataset=options.dataset,
        fill=options.fill,
        as_stored=options.as_stored,
    ),
)
