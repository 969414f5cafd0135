"""PNG images decoded some rows at a time, from the first to the last.

``ImageFile`` decodes a whole image for its first pixel; a mask of 8000 by 8000 pixels that is read
once in bands of rows needs a band of it only. Rows that lie before those read last cost a new
beginning, so that this is for readers that go forward.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lamina.data.readers.images.image import ImageFile
from lamina.data.readers.images.png_header import png_header
from lamina.errors import DataError
from lamina.geometry.region import Region
from lamina.volume import Volume, check_within

_BLOCK = 1 << 20  # bytes that are unpacked together, unless a row is longer
_INTERLACED = 28  # where the header says so


def in_rows(volume: Volume) -> Volume:
    """Return a plain PNG image as ``PngRows``, and any other volume as it is.

    Interlaced or turned images and those with a palette are not plain.
    """
    if not isinstance(volume, ImageFile):
        return volume
    with volume.path.open("rb") as stream:
        head = stream.read(_INTERLACED + 1)
    if not head.startswith(b"\x89PNG") or head[_INTERLACED]:
        return volume
    header = png_header(volume.path)
    if header.exif or header.indexed:
        return volume
    return PngRows(volume.path, volume.axes)


class PngRows:
    """A PNG image that is not interlaced, with the values that ``ImageFile`` reads."""

    def __init__(self, path: Path, axes: str = "yx") -> None:
        """Read the header.

        Raises:
            DataError: the file is cut off or no PNG image.
        """
        self.path, self.axes = path, axes
        self._header = head = png_header(path)
        self._bytes = -(-head.columns * head.depth * head.samples // 8)  # of a row
        self._restart()

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        return (self._header.rows, self._header.columns)

    @property
    def channels(self) -> int:
        """1 grey, 2 grey and alpha, 3 colours, 4 colours and alpha."""
        return self._header.samples

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8, or uint16 for 16 bits."""
        return np.dtype(np.uint16 if self._header.depth == 16 else np.uint8)

    def read(self, region: Region) -> NDArray[Any]:
        """Return ``(channels, *region.shape)``.

        Raises:
            ValueError: the region leaves the image.
            DataError: the pixels are cut off or damaged.
        """
        check_within(self, region)
        rows, columns = region.slices
        out = np.empty((self.channels, *region.shape), self.dtype)
        if rows.start < self._row:
            self._restart()
        block = max(_BLOCK // (self._bytes + 1), 1)
        while self._row < rows.stop:
            first = self._row
            count = min(block, (rows.start if first < rows.start else rows.stop) - first)
            lines = self._lines(count)
            if first >= rows.start:
                at = slice(first - rows.start, first - rows.start + count)
                out[:, at] = self._values(lines)[:, :, columns]
        return out

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "axes": self.axes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["axes"])  # type: ignore[misc]

    def _restart(self) -> None:
        self._row = 0
        self._packed = _packed(self.path)
        self._unpacker = zlib.decompressobj()
        self._before = np.zeros(self._bytes, np.uint8)

    def _lines(self, count: int) -> NDArray[np.uint8]:
        """Return the bytes of the next rows, (count, bytes of a row)."""
        from lamina.data.readers.images.png_filters import undo_filters

        wanted = count * (self._bytes + 1)
        data = bytearray()
        try:
            while len(data) < wanted:
                tail = self._unpacker.unconsumed_tail or next(self._packed, b"")
                if not tail:
                    raise ValueError("the pixels end too early")
                data += self._unpacker.decompress(tail, wanted - len(data))
        except (zlib.error, ValueError) as error:
            raise DataError(
                f"{self.path}: its pixels are cut off or damaged ({error}); copy it again"
            ) from error
        packed = np.frombuffer(data, np.uint8).reshape(count, -1)
        if packed[:, 0].max() > 4:
            raise DataError(f"{self.path}: its pixels are damaged; copy it again")
        lines = np.empty((count, self._bytes), np.uint8)
        pixel = max(self._header.depth * self._header.samples // 8, 1)
        undo_filters(packed, self._before, pixel, lines)
        self._before = lines[-1].copy()
        self._row += count
        return lines

    def _values(self, lines: NDArray[np.uint8]) -> NDArray[Any]:
        """Return (channels, rows, columns)."""
        head = self._header
        values: NDArray[Any] = lines
        if head.depth == 16:
            values = lines.view(">u2")
        elif head.depth < 8:
            bits = np.unpackbits(lines, axis=1).reshape(len(lines), -1, head.depth)
            values = np.packbits(bits, axis=2)[:, :, 0] >> (8 - head.depth)
            values = values[:, : head.columns]
        return values.reshape(len(lines), head.columns, head.samples).transpose(2, 0, 1)


def _packed(path: Path) -> Iterator[bytes]:
    """Yield the packed pixels, part by part, each with its checksum compared."""
    with path.open("rb") as stream:
        stream.seek(8)
        while True:
            head = stream.read(8)
            length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (0, b"IEND")
            if kind == b"IEND":
                return
            if kind != b"IDAT":
                stream.seek(length + 4, 1)
                continue
            check = zlib.crc32(kind)
            while length:
                data = stream.read(min(length, _BLOCK))
                if not data:
                    return
                length -= len(data)
                check = zlib.crc32(data, check)
                yield data
            if stream.read(4) != struct.pack(">I", check):
                raise ValueError("a checksum differs")
